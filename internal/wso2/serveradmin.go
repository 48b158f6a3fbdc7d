package wso2

import (
	"bytes"
	"context"
	"errors"
	"net/http"
)

// ServerAdmin is the web service of both servers that restarts them (SOAP 1.1).
type ServerAdmin struct{ caller }

// NewServerAdmin makes the client of the server at base, such as https://wso2is:9443. The credentials are its administrator's.
func NewServerAdmin(hc *http.Client, base string, cred Credentials) *ServerAdmin {
	return &ServerAdmin{caller{hc, base, &cred}}
}

// RestartGracefully asks the server to restart in place. done is false if the server does not do that, because [server]
// enable_restart_from_api is off: it answers 200 nevertheless (recorded on IS 7.1.0 and API-M 4.5.0). IS answers in JSON, and API-M in
// XML, though the request accepts JSON.
func (s *ServerAdmin) RestartGracefully(ctx context.Context) (done bool, err error) {
	r := request{
		op: "restart the server by its web service ServerAdmin", method: http.MethodPost, path: "/services/ServerAdmin",
		header: http.Header{"SOAPAction": {"urn:restartGracefully"}},
		xml: `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>` +
			`<a:restartGracefully xmlns:a="http://org.apache.axis2/xsd"/></soapenv:Body></soapenv:Envelope>`,
	}
	_, err = s.send(ctx, r, func(body []byte) error {
		yes, no := says(body, "true"), says(body, "false")
		if done = yes; yes == no {
			return errors.New("it has no result")
		}
		return nil
	})
	return done && err == nil, err
}

// says reports whether an answer has the result, in XML or JSON.
func says(body []byte, result string) bool {
	return bytes.Contains(body, []byte("return>"+result+"</")) || bytes.Contains(body, []byte(`"return":`+result))
}
