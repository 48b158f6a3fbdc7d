package bootstrap

import "context"

// awaitManager asks API-M's REST APIs with the run's credentials. Only that shows that they work: the server answers on its ports,
// and with 200 to /services/Version and /publisher, long before. The gateway's own health check comes before this step, because
// the APIs and policies that the health check waits for start last.
func (r *run) awaitManager(ctx context.Context) error {
	if err := r.Publisher.Ready(ctx); err != nil {
		return err
	}
	_, err := r.Admin.KeyManagers(ctx)
	return err
}

// awaitIdentity reads IS's discovery document, which IS serves once it has started completely. IS's health check always answers 200.
func (r *run) awaitIdentity(ctx context.Context) error {
	d, err := r.IS.Discovery(ctx)
	r.km.issuer = d.Issuer
	return err
}
