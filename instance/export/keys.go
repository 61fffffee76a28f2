package export

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"

	"holdfast/instance/gotosocial"
)

// errNoKeyPair reports a local account that an import could not restore.
var errNoKeyPair = errors.New("the local account has no key pair")

// checkKeys checks the key pair of a local account. The private key of any other
// account is dropped.
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

// privateKey encodes a private key as PEM in JSON.
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

// publicKey encodes a public key as PEM in JSON.
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
