package wso2sim

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

var (
	scopesCertificateView  = []string{"apim:ep_certificates_view", "apim:ep_certificates_manage", "apim:api_view"}
	scopesCertificateWrite = []string{"apim:ep_certificates_add", "apim:ep_certificates_update", "apim:ep_certificates_manage"}
)

// endpointCertificate is one that the gateway trusts at an endpoint. Of several of an endpoint each has its own alias.
type endpointCertificate struct {
	Alias, Endpoint string
	DER             []byte
	Added           time.Time
}

func (c *endpointCertificate) view() object { return object{"alias": c.Alias, "endpoint": c.Endpoint} }

func (am *AM) certificateRoutes(mux *http.ServeMux) {
	all := publisherPath + "/endpoint-certificates"
	one := func(op func(http.ResponseWriter, *http.Request, *endpointCertificate) error) operation {
		return func(w http.ResponseWriter, r *http.Request) error {
			c := am.certificates[r.PathValue("alias")]
			if c == nil {
				return certificateMissing("Certificate for Alias '" + r.PathValue("alias") + "' is not found.")
			}
			return op(w, r, c)
		}
	}
	mux.HandleFunc("GET "+all, am.locked(scopesCertificateView, am.listCertificates))
	mux.HandleFunc("POST "+all, am.locked(scopesCertificateWrite, am.addCertificate))
	mux.HandleFunc("GET "+all+"/{alias}", am.locked(scopesCertificateView, one(showCertificate)))
	mux.HandleFunc("PUT "+all+"/{alias}", am.locked(scopesCertificateWrite, am.updateCertificate))
	mux.HandleFunc("GET "+all+"/{alias}/content", am.locked(scopesCertificateView, one(func(w http.ResponseWriter, _ *http.Request, c *endpointCertificate) error {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(c.DER) // the client has gone; nobody is left to tell
		return nil
	})))
	mux.HandleFunc("GET "+all+"/{alias}/usage", am.locked(scopesCertificateView, one(am.showCertificateUsage)))
	mux.HandleFunc("DELETE "+all+"/{alias}", am.locked(scopesCertificateWrite, one(func(w http.ResponseWriter, _ *http.Request, c *endpointCertificate) error {
		delete(am.certificates, c.Alias)
		am.changed("certificate", c.Alias)
		w.WriteHeader(http.StatusOK)
		return nil
	})))
}

func certificateMissing(why string) *fault {
	return &fault{status: 404, code: 404, message: "Not Found", description: why}
}

// listCertificates shows them in the order in which they came; one whose alias is not there is an empty list.
func (am *AM) listCertificates(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	var found []*endpointCertificate
	for _, c := range am.certificates {
		if alias, at := query.Get("alias"), query.Get("endpoint"); (alias == "" || alias == c.Alias) && (at == "" || at == c.Endpoint) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *endpointCertificate) int {
		return cmp.Or(a.Added.Compare(b.Added), cmp.Compare(a.Alias, b.Alias))
	})
	page := pageOf(found, len(found), r, (*endpointCertificate).view)
	page["certificates"] = page["list"]
	delete(page, "list")
	writeJSON(w, http.StatusOK, page)
	return nil
}

// formCertificate reads the certificate of a form, in PEM or DER. What is none runs into an unchecked error.
func formCertificate(r *http.Request) ([]byte, error) {
	file, _, err := r.FormFile("certificate")
	if err != nil {
		return nil, badRequest("The certificate should not be empty")
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxBody))
	if err != nil {
		return nil, errMalformed
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	if _, err := x509.ParseCertificate(data); err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return data, nil
}

// addCertificate takes any certificate, also one that has expired or that another alias has.
func (am *AM) addCertificate(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	alias, at := r.FormValue("alias"), r.FormValue("endpoint")
	if alias == "" || at == "" {
		return badRequest("The alias and/ or endpoint should not be empty")
	}
	der, err := formCertificate(r)
	switch {
	case err != nil:
		return err
	case am.certificates[alias] != nil:
		return conflict("The alias '" + alias + "' already exists in the trust store.")
	}
	c := &endpointCertificate{Alias: alias, Endpoint: at, DER: der, Added: time.Now()}
	am.certificates[alias] = c
	am.changed("certificate", alias)
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/certificates?alias="+url.QueryEscape(alias))
	writeJSON(w, http.StatusCreated, c.view())
	return nil
}

// updateCertificate replaces the certificate of an alias, and nothing else.
func (am *AM) updateCertificate(w http.ResponseWriter, r *http.Request) error {
	c := am.certificates[r.PathValue("alias")]
	if c == nil {
		return certificateMissing("Could not update the certificate. The alias '" + r.PathValue("alias") + "' not found.")
	}
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	der, err := formCertificate(r)
	if err != nil {
		return err
	}
	c.DER = der
	am.changed("certificate", c.Alias)
	writeJSON(w, http.StatusOK, c.view())
	return nil
}

func showCertificate(w http.ResponseWriter, _ *http.Request, c *endpointCertificate) error {
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return fmt.Errorf("read the certificate %s: %w", c.Alias, err)
	}
	status := "Active"
	if time.Now().After(leaf.NotAfter) {
		status = "Expired"
	}
	const layout = "Mon Jan 02 15:04:05 MST 2006" // of Java's Date
	writeJSON(w, http.StatusOK, object{
		"status": status, "version": fmt.Sprint(leaf.Version), "subject": leaf.Subject.String(),
		"validity": object{"from": leaf.NotBefore.UTC().Format(layout), "to": leaf.NotAfter.UTC().Format(layout)},
	})
	return nil
}

// showCertificateUsage lists the APIs whose backends are at the certificate's endpoint.
func (am *AM) showCertificateUsage(w http.ResponseWriter, r *http.Request, c *endpointCertificate) error {
	var found []*api
	for _, a := range am.apis {
		if slices.Contains(append(a.dto.endpoints("production_endpoints"), a.dto.endpoints("sandbox_endpoints")...), c.Endpoint) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *api) int { return cmp.Or(cmp.Compare(a.name(), b.name()), cmp.Compare(a.id(), b.id())) })
	writeJSON(w, http.StatusOK, pageOf(found, len(found), r, func(a *api) object { return newIndexDoc(a).info }))
	return nil
}

func (am *AM) restoreCertificates(held map[string][]entry) error {
	am.certificates = map[string]*endpointCertificate{}
	return decode(held, "certificate", func(alias string, c endpointCertificate) { am.certificates[alias] = &c })
}
