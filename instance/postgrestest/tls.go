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
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServeTLS starts the server anew, with TLS. Owner is let in by TLS alone. The
// certificate is for the address 127.0.0.1; ca is the file of the authority that
// signed it, which nobody knows.
func (s *Server) ServeTLS(t testing.TB) (ca string) {
	t.Helper()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "PostgreSQL"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	authorityKey, serverKey := newKey(t), newKey(t)
	ca, cert, key := filepath.Join(s.Sockets, "ca.pem"), filepath.Join(s.Sockets, "cert.pem"), filepath.Join(s.Sockets, "key.pem")
	sign := func(c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, authorityKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	private, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sign(authority, authorityKey)}))
	s.write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sign(server, serverKey)}))
	s.write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	s.stop()
	s.write(t, filepath.Join(s.Data, "pg_hba.conf"), []byte("local all all peer\nhostssl all "+Owner+" all scram-sha-256\nhost all postgres all scram-sha-256\n"))
	s.run(t, []string{"ssl=on", "ssl_cert_file=" + cert, "ssl_key_file=" + key})
	return ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// write writes a file for the server's user alone.
func (s *Server) write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.As != nil {
		if err := os.Chown(path, int(s.As.Uid), int(s.As.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}
