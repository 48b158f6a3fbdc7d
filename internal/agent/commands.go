package agent

import (
	"context"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// Token requests an access token of the application, with the keys that a bootstrap has written to KEYS_FILE, for people who
// want to call an API. It revokes the application's former token, unless tokens live side by side.
func (a Agent) Token(ctx context.Context) (wso2.Secret, error) {
	s := a.servers()
	hc, err := s.connect(a.cfg)
	if err != nil {
		return "", err
	}
	return bootstrap.FilesOf(a.cfg).Token(ctx, hc)
}
