package memory

import (
	"testing"

	"github.com/turbokv/turbokv/serverlib/enginetest"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(*testing.T) enginetest.Store {
		return enginetest.Store{Engine: New()}
	})
}
