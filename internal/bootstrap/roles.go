package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"wso2agent/internal/scopes"
	"wso2agent/internal/serviceuser"
)

// RolesEvery is the wait between two passes that bind scopes to roles. API-M takes the roles of local scopes away with each save.
const RolesEvery = 30 * time.Second

// rolesUnbound is what the log says of a failure.
const rolesUnbound = "scopes of APIs are not bound to roles of IS as API-M has them"

// BindRoles binds scopes of APIs to roles of IS as API-M has them, unless the connector does that. It returns how many roles it has changed,
// and those that IS refuses. apis are ids of APIs that API-M may not list yet.
func (s Settings) BindRoles(ctx context.Context, roles *scopes.Roles, servers Servers, apis ...string) (changes int, refused []*scopes.Refusal, err error) {
	if s.SkipKeyManager || s.KMUser.Record == "" || s.KMUser.Setting == serviceuser.Admin || s.KMUser.Rights == serviceuser.RolesToo {
		return 0, nil, nil
	}
	km, kind, err := s.FindUser(ctx, servers.Admin)
	if err != nil || km.User == "" || kind == serviceuser.Administrator {
		return 0, nil, err
	}
	return roles.Bind(ctx, scopes.Servers{Publisher: servers.Publisher, Authorization: servers.Scopes, SCIM: servers.SCIM}, km.MakesRoles, apis...)
}

// RoleBinder binds scopes to roles from time to time. Only one goroutine uses it.
type RoleBinder struct {
	roles    scopes.Roles
	failures int // since the last success
}

// Turn binds scopes to roles, unless unusable says that there is no connection. It reports whether they are bound, and describes the
// state in a sentence. It logs the second failure in a row, because one failure can be a server that is starting,
// and the end of failures.
func (b *RoleBinder) Turn(ctx context.Context, log *slog.Logger, hc *http.Client, s Settings, unusable error) (ok bool, message string) {
	b.roles.Log = log
	err := unusable
	if err == nil {
		var refused []*scopes.Refusal
		_, refused, err = s.BindRoles(ctx, &b.roles, Connect(hc, s))
		for _, r := range refused {
			err = errors.Join(err, r)
		}
	}
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx).Error()
	case err != nil:
		if b.failures++; b.failures == 2 {
			log.Warn(rolesUnbound+", trying again", "error", err)
		}
		return false, rolesUnbound + ": " + err.Error()
	case b.failures > 1:
		log.Info("scopes of APIs are bound to roles of IS again")
	}
	b.failures = 0
	return true, "the agent or API-M's connector binds scopes of APIs to roles of IS"
}
