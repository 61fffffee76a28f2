package export

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"

	"holdfast/instance/gotosocial"
)

var errNoKeyPair = errors.New("a local account without a key pair can't be rescued")

// checkKeys checks the key pair of a local account. An account of another server
// has no private key here.
func checkKeys(r row) error {
	private := r.value("private_key")
	if r.text("domain") != "" {
		*private = nil
		return nil
	}
	if *private == nil {
		return errNoKeyPair
	}
	return gotosocial.CheckKeyPair(**private, r.text("public_key"))
}

// privateKey is a key as PEM, as JSON.
func privateKey(v *string) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	key, err := gotosocial.ParsePrivateKey(*v)
	if err != nil {
		return nil, err
	}
	return inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func publicKey(v *string) ([]byte, error) {
	key, err := gotosocial.ParsePublicKey(gotosocial.Text(v))
	if err != nil {
		return nil, err
	}
	return inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key))
}

func inPEM(kind string, der []byte) ([]byte, error) {
	return json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
