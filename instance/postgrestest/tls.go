package postgrestest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/testkit"
)

// ServeTLS restarts the server with TLS. From then on the role Owner connects by
// TLS only. The certificate is for the address 127.0.0.1; ca is the file of the
// authority that signed the certificate. No system trusts this authority.
func (s *Server) ServeTLS(t testing.TB) (ca string) {
	t.Helper()
	ca = filepath.Join(s.Sockets, "ca.pem")
	cert, key := filepath.Join(s.Sockets, "cert.pem"), filepath.Join(s.Sockets, "key.pem")
	authority, authorityKey := newAuthority(), newKey(t)
	serverKey := newKey(t)
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "PostgreSQL"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	sign := func(c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, authorityKey)
		testkit.OK(t, err)
		return der
	}
	private, err := x509.MarshalPKCS8PrivateKey(serverKey)
	testkit.OK(t, err)
	s.writePEM(t, ca, "CERTIFICATE", sign(authority, authorityKey))
	s.writePEM(t, cert, "CERTIFICATE", sign(server, serverKey))
	s.writePEM(t, key, "PRIVATE KEY", private)

	s.stop()
	s.write(t, filepath.Join(s.Data, "pg_hba.conf"),
		[]byte("local all all peer\nhostssl all "+Owner+" all scram-sha-256\nhost all postgres all scram-sha-256\n"))
	s.run(t, []string{"ssl=on", "ssl_cert_file=" + cert, "ssl_key_file=" + key})
	return ca
}

func newAuthority() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an unknown authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	testkit.OK(t, err)
	return key
}

func (s *Server) writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	s.write(t, path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
