package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ErrTLS is reported for files of certificates and keys that cannot be used.
var ErrTLS = errors.New("TLS")

// TLS names the files, in PEM, that make the P4Runtime connections of a switch private. It takes
// TLS 1.2 and above.
type TLS struct {
	// Cert holds the certificate of the switch, followed by those between it and the authority.
	Cert string
	// Key is the private key of Cert.
	Key string
	// ClientCA holds the authorities that sign the certificates of clients. A client without such a
	// certificate is refused. "": clients show none.
	ClientCA string
}

// ServerOption reads the files.
func (t TLS) ServerOption() (grpc.ServerOption, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	pair, err := t.certificate()
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{pair}
	if t.ClientCA != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = authorities(t.ClientCA); err != nil {
			return nil, err
		}
	}
	return grpc.Creds(credentials.NewTLS(config)), nil
}

func (t TLS) certificate() (tls.Certificate, error) {
	if t.Cert == "" || t.Key == "" {
		return tls.Certificate{}, fmt.Errorf("%w: a certificate and its key belong together: "+
			"certificate %q, key %q", ErrTLS, t.Cert, t.Key)
	}
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: certificate: %w", ErrTLS, err)
	}
	key, err := os.ReadFile(t.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: key: %w", ErrTLS, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: certificate %s with key %s: %w", ErrTLS, t.Cert, t.Key, err)
	}
	return pair, nil
}

// authorities reads a file of certificates.
func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate authorities: %w", ErrTLS, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w: certificate authorities: %s holds no certificate in PEM", ErrTLS, path)
	}
	return pool, nil
}
