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

// openAdmin returns a client of the controller, and its address.
func (a *app) openAdmin(flags adminFlags) (client *admin.Client, address string, err error) {
	if address, err = a.adminAddress(flags); err != nil {
		return nil, "", err
	}
	client, err = dialAdmin(address)
	return client, address, err
}

// adminAddress is where the controller is, as the flags or the cluster file say.
func (a *app) adminAddress(flags adminFlags) (string, error) {
	if flags.address != "" {
		return flags.address, nil
	}
	file, err := clusterfile.Read(a.clusterPath)
	return file.Admin, err
}

// withAdmin runs f with a client of the controller, within the timeout.
func (a *app) withAdmin(
	ctx context.Context, flags adminFlags, f func(context.Context, *admin.Client) error,
) error {
	return a.withAdminUntil(ctx, flags, func(ctx context.Context, client *admin.Client) error {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		return f(ctx, client)
	})
}

// withAdminUntil is withAdmin without a bound on the time: f waits for something.
func (a *app) withAdminUntil(
	ctx context.Context, flags adminFlags, f func(context.Context, *admin.Client) error,
) error {
	client, address, err := a.openAdmin(flags)
	if err != nil {
		return err
	}
	defer client.Close()
	return atController(address, f(ctx, client))
}

// atController adds to an error that a controller is away which one that is.
func atController(address string, err error) error {
	if errors.Is(err, admin.ErrUnavailable) {
		return fmt.Errorf("controller at %s: %w", address, err)
	}
	return err
}

func dialAdmin(address string) (*admin.Client, error) {
	return admin.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
