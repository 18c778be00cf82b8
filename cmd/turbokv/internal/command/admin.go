package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/controller/admin"
)

// adminFlags say where the controller is.
type adminFlags struct {
	address string
}

func (f *adminFlags) add(c *cobra.Command) {
	c.PersistentFlags().StringVar(&f.address, "admin", "",
		"`address` of the controller's admin service (default: from the cluster file)")
}

// withAdmin runs f with a client of the controller, within the timeout.
func (a *app) withAdmin(
	ctx context.Context, flags adminFlags, f func(context.Context, *admin.Client) error,
) error {
	address := flags.address
	if address == "" {
		file, err := clusterfile.Read(a.clusterPath)
		if err != nil {
			return err
		}
		address = file.Admin
	}
	client, err := dialAdmin(address)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	err = f(ctx, client)
	if errors.Is(err, admin.ErrUnavailable) {
		err = fmt.Errorf("controller at %s: %w", address, err)
	}
	return err
}

func dialAdmin(address string) (*admin.Client, error) {
	return admin.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
