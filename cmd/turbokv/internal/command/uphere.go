package command

import (
	"context"
	"errors"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/layout"
	"github.com/turbokv/turbokv/kv"
)

func (a *app) upHere(ctx context.Context, plan layout.Plan, d kv.Durability) error {
	return errors.New("soon")
}

func (a *app) embeddedSite(ctx context.Context, nodes int) (site, error) {
	return nil, errors.New("soon")
}
