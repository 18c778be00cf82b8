package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

// newAuthority writes its certificate to NAME.pem.
func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir, pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = template, newKey(t)
	der := a.sign(template, &a.key.PublicKey)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	a.write(name+".pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template *x509.Certificate, public *ecdsa.PublicKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func (a *authority) write(name, kind string, der []byte) {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(a.dir, name), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes a certificate and its key to NAME.pem and NAME.key.
func (a *authority) issue(name string) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	a.write(name+".pem", "CERTIFICATE", a.sign(template, &key.PublicKey))
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".key", "EC PRIVATE KEY", der)
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// serve runs a switch with TLS and returns its address.
func serve(t *testing.T, files TLS) string {
	t.Helper()
	option, err := files.ServerOption()
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{Address: "127.0.0.1:0", ServerOptions: []grpc.ServerOption{option}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return d.Addr().String()
}

// ask calls the switch once.
func ask(t *testing.T, address string, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = p4v1.NewP4RuntimeClient(conn).Capabilities(ctx, &p4v1.CapabilitiesRequest{})
	return err
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ours, foreign := newAuthority(t, dir, "ca"), newAuthority(t, dir, "foreign")
	ours.issue("switch")
	files := TLS{Cert: filepath.Join(dir, "switch.pem"), Key: filepath.Join(dir, "switch.key")}
	plain := insecure.NewCredentials()
	with := func(roots *x509.CertPool, own ...tls.Certificate) credentials.TransportCredentials {
		return credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: own})
	}
	client, stranger := ours.issue("client"), foreign.issue("stranger")
	mutual := files
	mutual.ClientCA = filepath.Join(dir, "ca.pem")
	oneWay, both := serve(t, files), serve(t, mutual)
	for _, c := range []struct {
		name    string
		address string
		creds   credentials.TransportCredentials
		refused bool
	}{
		{"the switch shows its certificate", oneWay, with(ours.pool), false},
		{"a client without TLS", oneWay, plain, true},
		{"a client that trusts somebody else", oneWay, with(foreign.pool), true},
		{"both show certificates", both, with(ours.pool, client), false},
		{"a client without a certificate", both, with(ours.pool), true},
		{"a client whose certificate somebody else signed", both, with(ours.pool, stranger), true},
	} {
		err := ask(t, c.address, c.creds)
		if refused := status.Code(err) == codes.Unavailable; refused != c.refused || err != nil && !refused {
			t.Errorf("%s: %v, want it refused: %v", c.name, err, c.refused)
		}
	}
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, "ca")
	a.issue("switch")
	a.issue("other")
	at := func(name string) string { return filepath.Join(dir, name) }
	for want, files := range map[string]TLS{
		"belong together":                {Cert: at("switch.pem")},
		"no such file":                   {Cert: at("absent.pem"), Key: at("switch.key")},
		"private key does not match":     {Cert: at("switch.pem"), Key: at("other.key")},
		"ca.pem with key":                {Cert: at("ca.pem"), Key: at("ca.pem")},
		"holds no certificate in PEM":    {Cert: at("switch.pem"), Key: at("switch.key"), ClientCA: at("switch.key")},
		"certificate authorities: open ": {Cert: at("switch.pem"), Key: at("switch.key"), ClientCA: at("absent")},
	} {
		_, err := files.ServerOption()
		if !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", files, err, want)
		}
	}
}

func TestListenAtASocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil {
		t.Error("two listen at one socket file")
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as after a crash
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Listen("unix:" + path)
	if err != nil {
		t.Fatalf("a socket file that nobody listens at: %v", err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil {
		t.Error("a file that is no socket is replaced")
	}
}

// A program without P4Info processes packets, and P4Runtime says that it has no pipeline.
func TestProgramWithoutP4Info(t *testing.T) {
	program, info, err := ReadPipeline("../p4rt/testdata/basic.json", "")
	if err != nil || info != nil {
		t.Fatal(info, err)
	}
	d, err := New(Config{Address: "127.0.0.1:0", DeviceZero: true, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if sizes := d.TableSizes(); len(sizes) == 0 || d.DeviceID() != 0 {
		t.Errorf("tables %v, device %d", sizes, d.DeviceID())
	}
	got, err := d.Server().GetForwardingPipelineConfig(t.Context(),
		&p4v1.GetForwardingPipelineConfigRequest{})
	if err != nil || got.GetConfig() != nil {
		t.Errorf("pipeline: %v, %v", got, err)
	}
	if _, full, err := ReadPipeline("../p4rt/testdata/basic.json", "../p4rt/testdata/basic.p4info.txtpb"); err != nil ||
		full.GetP4Info() == nil || len(full.GetP4DeviceConfig()) == 0 {
		t.Errorf("with P4Info: %v", err)
	}
}
