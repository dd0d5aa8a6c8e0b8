package backofficetest_test

import (
	"testing"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
)

func TestConformanceOfMem(t *testing.T) {
	for name, traits := range map[string]backoffice.Traits{
		"plain":      {},
		"finds":      {Finds: true},
		"idempotent": {Idempotent: true},
	} {
		t.Run(name, func(t *testing.T) {
			backofficetest.Run(t, func(t *testing.T) backofficetest.Harness {
				m := &backofficetest.Mem{Has: traits}
				return backofficetest.Harness{Connector: m, Received: m.Received, Fail: m.Fail, Rotate: func() {}}
			})
		})
	}
}
