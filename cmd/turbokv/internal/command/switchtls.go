package command

import (
	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"github.com/turbokv/turbokv/bmv2/daemon"
)

// switchTLS are the options of private connections to controllers.
type switchTLS struct {
	files      daemon.TLS
	on         bool   // --grpc-server-ssl
	ca         string // --grpc-server-cacert: of use only with clientAuth
	clientAuth bool
}

func (t *switchTLS) add(flags *pflag.FlagSet) {
	flags.StringVar(&t.files.Cert, "tls-cert", "",
		"`file` of the certificate (PEM) with which controllers are served over TLS")
	flags.StringVar(&t.files.Key, "tls-key", "", "`file` of its private key (PEM)")
	flags.StringVar(&t.files.ClientCA, "tls-client-ca", "",
		"`file` of the authorities (PEM) that must have signed the certificates of controllers")
	flags.BoolVar(&t.on, "grpc-server-ssl", false, "simple_switch_grpc's word for TLS")
	flags.StringVar(&t.ca, "grpc-server-cacert", "", "authorities for --grpc-server-with-client-auth")
	flags.BoolVar(&t.clientAuth, "grpc-server-with-client-auth", false,
		"refuse controllers without a certificate")
	for _, name := range []string{"grpc-server-ssl", "grpc-server-cacert", "grpc-server-with-client-auth"} {
		flags.Lookup(name).Hidden = true
	}
}

func (t *switchTLS) check() error {
	files := t.files != daemon.TLS{}
	switch {
	case (t.clientAuth || t.ca != "") && !t.on:
		return usagef("--grpc-server-cacert and --grpc-server-with-client-auth need --grpc-server-ssl")
	case t.clientAuth && t.ca == "" && t.files.ClientCA == "":
		return usagef("--grpc-server-with-client-auth needs --grpc-server-cacert FILE: who signed the " +
			"certificates of controllers")
	case (t.on || files) && (t.files.Cert == "" || t.files.Key == ""):
		return usagef("TLS needs --tls-cert FILE and --tls-key FILE (--grpc-server-cert, --grpc-server-key)")
	}
	if t.clientAuth && t.files.ClientCA == "" {
		t.files.ClientCA = t.ca
	}
	return nil
}

// options are those of the gRPC server.
func (t *switchTLS) options() ([]grpc.ServerOption, error) {
	if (t.files == daemon.TLS{}) {
		return nil, nil
	}
	option, err := t.files.ServerOption()
	if err != nil {
		return nil, usagef("%w", err)
	}
	return []grpc.ServerOption{option}, nil
}
