package agent

import (
	"context"
	"time"

	"wso2agent/internal/rotation"
)

// Pass does once what a sidecar does when something has changed: it imports what the peers publish, makes the settings of the server,
// and requests a restart that is due. A sidecar that runs next to the same server has done it already.
func (a Agent) Pass(ctx context.Context) error {
	k := trustKeeper{restarter: a.restarter(), memory: rotation.Memory{Patience: time.Now().Add(a.cfg.Init.Timeout)}}
	return k.once(ctx, a)
}
