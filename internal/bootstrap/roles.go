package bootstrap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"wso2agent/internal/scopes"
	"wso2agent/internal/serviceuser"
)

// rolesEvery is the wait between two passes that bind scopes to roles. API-M takes the roles of local scopes away with each save.
const rolesEvery = 30 * time.Second

// rolesUnbound is what the log says of a failure.
const rolesUnbound = "scopes of APIs are not bound to roles of IS as API-M has them"

// BindRoles binds scopes of APIs to roles of IS as API-M has them, unless the connector does that. It returns how many roles it has
// changed. apis are ids of APIs that API-M may not list yet.
func (s Settings) BindRoles(ctx context.Context, roles *scopes.Roles, servers Servers, apis ...string) (changes int, err error) {
	if s.SkipKeyManager || s.KMUser.Record == "" || s.KMUser.Setting == serviceuser.Admin || s.KMUser.Rights == serviceuser.RolesToo {
		return 0, nil
	}
	km, kind, err := s.FindUser(ctx, servers.Admin)
	if err != nil || km.User == "" || kind == serviceuser.Administrator {
		return 0, err
	}
	return roles.Bind(ctx, scopes.Servers{Publisher: servers.Publisher, Authorization: servers.Scopes, SCIM: servers.SCIM}, apis...)
}

// RoleBinder binds scopes to roles from time to time. Only one goroutine uses it.
type RoleBinder struct {
	roles    scopes.Roles
	at       time.Time // of the last success
	failures int       // since then
}

// Turn binds scopes to roles unless the last success is less than 30 s ago. It returns why they are not bound; nil if they are. It logs the
// second failure in a row, because one failure can be a server that is starting, and logs the end of failures.
func (b *RoleBinder) Turn(ctx context.Context, log *slog.Logger, hc *http.Client, s Settings) error {
	if time.Since(b.at) < rolesEvery {
		return nil
	}
	b.roles.Log = log
	_, err := s.BindRoles(ctx, &b.roles, Connect(hc, s))
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		if b.failures++; b.failures == 2 {
			log.Warn(rolesUnbound+", trying again", "error", err)
		}
		return fmt.Errorf(rolesUnbound+": %w", err)
	case b.failures > 1:
		log.Info("scopes of APIs are bound to roles of IS again")
	}
	b.at, b.failures = time.Now(), 0
	return nil
}
