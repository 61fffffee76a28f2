package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// maxCertificates bounds a file of certificates, in bytes. Mozilla's has 200 KiB.
const maxCertificates = 4 << 20

// TLS translates the TLS modes of GoToSocial.
func TLS(c *gotosocial.Config) (*tls.Config, error) {
	switch mode := c.Get("db-tls-mode"); mode {
	case "", "disable":
		return nil, nil
	case "enable":
		return &tls.Config{InsecureSkipVerify: true}, nil
	case "require":
	default:
		return nil, &remedy.Error{
			Kind: remedy.Setting, What: fmt.Sprintf("db-tls-mode: %q is not disable, enable or require", mode),
			Fix: "set db-tls-mode to disable, enable or require",
		}
	}
	config := &tls.Config{ServerName: c.Get("db-address"), MinVersion: tls.VersionTLS12}
	file := c.Absolute(c.Get("db-tls-ca-cert"))
	if file == "" {
		return config, nil
	}
	pem, err := disk.ReadSmall(file, maxCertificates)
	if err != nil {
		return nil, &remedy.Error{
			Kind: remedy.Source, What: "no certificate authority in " + file, Err: err, Fix: "correct db-tls-ca-cert",
		}
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &remedy.Error{Kind: remedy.Setting, What: "no certificate authority in " + file,
			Fix: "correct db-tls-ca-cert"}
	}
	return config, nil
}
