package subscriber

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Keys are what the agent writes to KEYS_FILE, as far as a client needs it.
type Keys struct {
	ApplicationID string
	Production    struct{ ConsumerKey, ConsumerSecret string }
}

// ParseKeys reads the content of KEYS_FILE.
func ParseKeys(data []byte) (k Keys, err error) {
	if err = json.Unmarshal(data, &k); err == nil && (k.ApplicationID == "" || k.Production.ConsumerKey == "") {
		err = fmt.Errorf("no keys of an application: %.40q", data)
	}
	return k, err
}

// Trusting is an HTTP client that makes a new connection for every request, and trusts a server of that name by the
// certificates in PEM that its agent has published.
func Trusting(certificates []byte, name string) (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, fmt.Errorf("the agent of %s has published no certificate", name)
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}, DisableKeepAlives: true,
	}}, nil
}
