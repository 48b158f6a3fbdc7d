package wso2

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAServerThatDoesNotRestartOnRequestSaysSo(t *testing.T) {
	for _, file := range []string{"is-7.1.0.har", "apim-4.5.0.har"} {
		at, hc := loadRecording(t, file).at(t, "ServerAdmin restartGracefully (as configured)")
		done, err := NewServerAdmin(hc, at, Credentials{User: "admin", Password: "admin"}).RestartGracefully(t.Context())
		if done || err != nil {
			t.Errorf("%s: %v, %v", file, done, err)
		}
	}
}

func TestWhatServerAdminAnswers(t *testing.T) {
	const soap = `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>`
	for name, c := range map[string]struct {
		status int
		body   string
		done   bool
		failed bool
	}{
		"XML":            {200, soap + `<ns:restartGracefullyResponse xmlns:ns="http://org.apache.axis2/xsd"><ns:return>true</ns:return></ns:restartGracefullyResponse>`, true, false},
		"JSON":           {200, `{"restartGracefullyResponse":{"return":true}}`, true, false},
		"no result":      {200, soap, false, true},
		"wrong password": {500, soap + `<soapenv:Fault><faultstring>Access Denied.</faultstring></soapenv:Fault>`, false, true},
	} {
		at, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if user, password, _ := r.BasicAuth(); user != "root" || password != "pass" || r.Header.Get("SOAPAction") != "urn:restartGracefully" ||
				!strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") || !strings.Contains(string(body), `:restartGracefully xmlns:a="http://org.apache.axis2/xsd"`) {
				t.Errorf("%s: the request is %s %v %s", name, user, r.Header, body)
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		done, err := NewServerAdmin(hc, at, Credentials{User: "root", Password: "pass"}).RestartGracefully(t.Context())
		if done != c.done || (err != nil) != c.failed {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
}
