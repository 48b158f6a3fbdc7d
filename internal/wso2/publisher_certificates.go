package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// EndpointCertificate is a certificate that the gateway trusts at a backend. Several may belong to one endpoint.
type EndpointCertificate struct {
	Alias    string `json:"alias"`
	Endpoint string `json:"endpoint"`
}

// EndpointCertificates lists the certificates of all endpoints.
func (p *Publisher) EndpointCertificates(ctx context.Context) ([]EndpointCertificate, error) {
	return all[EndpointCertificate](ctx, p.caller, request{
		op: "list endpoint certificates", method: http.MethodGet, path: "/endpoint-certificates",
	})
}

// EndpointCertificate reads a certificate, in DER. API-M shows no fingerprint, so the content is what can be compared.
func (p *Publisher) EndpointCertificate(ctx context.Context, alias string) (der []byte, err error) {
	r := request{
		op: "read endpoint certificate " + alias, method: http.MethodGet, path: endpointCertificate(alias) + "/content", accept: "*/*",
	}
	a, err := p.send(ctx, r, func(body []byte) error {
		if len(body) == 0 {
			return errEmpty
		}
		return nil
	})
	return a.body, err
}

// AddEndpointCertificate adds a certificate in PEM or DER. API-M takes one that has expired, and answers HTTP 500 to what is none.
func (p *Publisher) AddEndpointCertificate(ctx context.Context, c EndpointCertificate, certificate []byte) error {
	return p.call(ctx, request{
		op: "add endpoint certificate " + c.Alias + " of " + c.Endpoint, method: http.MethodPost, path: "/endpoint-certificates",
		parts: []part{text("alias", c.Alias), text("endpoint", c.Endpoint), certificateFile(certificate)},
	}, nil)
}

// ReplaceEndpointCertificate replaces the certificate of an alias, whose endpoint stays.
func (p *Publisher) ReplaceEndpointCertificate(ctx context.Context, alias string, certificate []byte) error {
	return p.call(ctx, request{
		op: "replace endpoint certificate " + alias, method: http.MethodPut, path: endpointCertificate(alias),
		parts: []part{certificateFile(certificate)},
	}, nil)
}

// DeleteEndpointCertificate removes a certificate from the gateway's truststore.
func (p *Publisher) DeleteEndpointCertificate(ctx context.Context, alias string) error {
	return p.call(ctx, request{op: "delete endpoint certificate " + alias, method: http.MethodDelete, path: endpointCertificate(alias)}, nil)
}

func certificateFile(certificate []byte) part {
	return part{name: "certificate", file: "certificate.crt", contents: certificate}
}

func endpointCertificate(alias string) string {
	return "/endpoint-certificates/" + url.PathEscape(alias)
}
