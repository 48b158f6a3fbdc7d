package wso2sim

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// runtimeRoutes are those of the gateway's own REST API that tell what it has loaded (carbon-apimgt, gateway-api.yaml,
// EndPointsApiServiceImpl). They read what the gateway runs with, which a deployment reaches late, and not the database.
func (am *AM) runtimeRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/am/gateway/v2/end-points", am.locked(nil, func(w http.ResponseWriter, r *http.Request) error {
		name, version := r.URL.Query().Get("apiName"), r.URL.Query().Get("version")
		if name == "" || version == "" {
			return &fault{status: 400, code: 400, message: "Bad Request", description: "Validation Error"}
		}
		writeJSON(w, http.StatusOK, object{"endpoints": am.loadedEndpoints(name, version, time.Now())})
		return nil
	}))
}

// loadedEndpoints are the endpoints of an API in the gateway's configuration, as XML; none of an API that it has not got.
func (am *AM) loadedEndpoints(name, version string, now time.Time) []string {
	out := []string{}
	for _, a := range am.lookup.versions(name) {
		dto := a.onGateway(now)
		if dto == nil || a.name() != name || value(dto.Version) != version {
			continue
		}
		for _, kind := range []string{"production", "sandbox"} {
			if url := dto.endpoint(kind + "_endpoints"); url != "" {
				out = append(out, endpointXML(fmt.Sprintf("%s--v%s_API%sEndpoint", name, version, kind), url))
			}
		}
	}
	return out
}

func endpointXML(name, url string) string {
	var n, u strings.Builder
	_ = xml.EscapeText(&n, []byte(name)) // a Builder takes everything
	_ = xml.EscapeText(&u, []byte(url))
	return fmt.Sprintf(`<endpoint xmlns="http://ws.apache.org/ns/synapse" name="%s"><http uri-template="%s"><timeout><responseAction>fault</responseAction></timeout></http><property name="ENDPOINT_ADDRESS" value="%[2]s"/></endpoint>`,
		n.String(), u.String())
}
