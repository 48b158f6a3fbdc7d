package bootstrap

import "context"

// awaitManager asks API-M's REST APIs with our credentials. Only that proves them: the server answers on its ports, and
// with 200 to /services/Version and /publisher, long before. The gateway's own health check comes before this step, as
// the APIs and policies that it waits for come up last.
func (r *run) awaitManager(ctx context.Context) error {
	if err := r.Publisher.Ready(ctx); err != nil {
		return err
	}
	_, err := r.Admin.KeyManagers(ctx)
	return err
}

// awaitIdentity reads IS's discovery document, which is there when all of IS is. Its health check says 200 always.
func (r *run) awaitIdentity(ctx context.Context) error {
	d, err := r.IS.Discovery(ctx)
	r.km.issuer = d.Issuer
	return err
}
