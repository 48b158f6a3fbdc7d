package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// certificate adds or replaces an endpoint certificate. API-M cannot change the endpoint of one, so it is deleted and added.
func (r *round) certificate(ctx context.Context, c plan.Change, want desired.EndpointCertificate) error {
	data := r.want.Certificates[desired.PathOf(want.File)]
	if c.Have != nil && !plan.RemakesCertificate(c.Fields) {
		return gone(r.Publisher.ReplaceEndpointCertificate(ctx, c.Name, data))
	}
	if c.Have != nil {
		if err := r.Publisher.DeleteEndpointCertificate(ctx, c.Name); err != nil && !wso2.HasStatus(err, http.StatusNotFound) {
			return err
		}
	}
	err := r.Publisher.AddEndpointCertificate(ctx, wso2.EndpointCertificate{Alias: c.Name, Endpoint: want.Endpoint.Value}, data)
	if !wso2.HasStatus(err, http.StatusConflict) {
		return err
	}
	// A certificate in the list is of an earlier try whose answer is lost. Else the truststore of the gateway has the alias.
	list, listErr := r.Publisher.EndpointCertificates(ctx)
	if listErr != nil || slices.ContainsFunc(list, func(on wso2.EndpointCertificate) bool { return on.Alias == c.Name }) {
		return again(errors.Join(err, listErr))
	}
	return byHand(remedy.Add(fmt.Errorf("the truststore of the gateway has another certificate as %q (%s): %w", c.Name, want.Alias.At, err),
		"choose another alias"))
}
