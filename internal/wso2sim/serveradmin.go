package wso2sim

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const axis2Namespace = "http://org.apache.axis2/xsd"

// serverAdmin answers POST /services/ServerAdmin, SOAP 1.1. By default `[server] enable_restart_from_api` is off, and
// every operation returns false; where it is on, the server says true at once and does what it was told a while later.
// IS writes JSON where the client accepts it.
func (s *server) serverAdmin(w http.ResponseWriter, r *http.Request, asJSON bool) {
	if user, password, ok := r.BasicAuth(); !ok || !s.isAdministrator(user, password) {
		soapFault(w, "Access Denied. Authentication failed - Invalid credentials provided.")
		return
	}
	operation, namespace := soapOperation(io.LimitReader(r.Body, maxBody))
	code, known := map[string]int{
		"restart": ExitRestart, "restartGracefully": ExitRestart, "shutdown": ExitShutdown, "shutdownGracefully": ExitShutdown,
	}[operation]
	allowed := s.settings.flag("server.enable_restart_from_api")
	switch {
	case operation == "":
		soapFault(w, "The request has no operation in its body")
		return
	case namespace != axis2Namespace:
		soapFault(w, fmt.Sprintf("namespace mismatch require %s found %s", axis2Namespace, namespace))
		return
	case allowed && !known:
		soapFault(w, "The endpoint reference (EPR) for the Operation not found is /services/ServerAdmin and the WSA Action = urn:"+operation)
		return
	case asJSON:
		writeAs(w, http.StatusOK, "application/json;charset=UTF-8", object{operation + "Response": object{"return": allowed}})
	default:
		soap(w, http.StatusOK, fmt.Sprintf(`<ns:%[1]sResponse xmlns:ns="%[2]s"><ns:return>%[3]t</ns:return></ns:%[1]sResponse>`,
			operation, axis2Namespace, allowed))
	}
	if allowed {
		s.log.Info("told by ServerAdmin", "operation", operation)
		s.end(code)
	}
}

// soapOperation is the first element in the body of an envelope.
func soapOperation(body io.Reader) (name, namespace string) {
	decoder := xml.NewDecoder(body)
	inBody := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", ""
		}
		if start, ok := token.(xml.StartElement); ok {
			if inBody {
				return start.Name.Local, start.Name.Space
			}
			inBody = start.Name.Local == "Body"
		}
	}
}

func soapFault(w http.ResponseWriter, why string) {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(why)) // a strings.Builder never fails
	soap(w, http.StatusInternalServerError, "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>"+
		escaped.String()+"</faultstring><detail/></soapenv:Fault>")
}

func soap(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">`+
		`<soapenv:Body>`+body+`</soapenv:Body></soapenv:Envelope>`)
}
