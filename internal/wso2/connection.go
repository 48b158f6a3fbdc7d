package wso2

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/http"

	"wso2agent/internal/file"
)

// rootsLimit is the largest size of TLS_CA_FILE, in bytes.
const rootsLimit = 4 << 20

// Roots returns the CAs in the PEM file at path, which TLS_CA_FILE names. They verify servers that are no peers. An empty
// path returns nil, which stands for the CAs of the system.
func Roots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	data, err := readRoots(path)
	if err != nil {
		return nil, err
	}
	return parseRoots(path, data)
}

func readRoots(path string) ([]byte, error) {
	data, err := file.Read(path, rootsLimit)
	if err != nil {
		return nil, fmt.Errorf("read the CAs of TLS_CA_FILE: %w", err)
	}
	return data, nil
}

func parseRoots(path string, data []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read the CAs of TLS_CA_FILE: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// activityHeader carries the correlation id of a request. The valve of both servers' Tomcat (carbon-kernel, RequestCorrelationIdValve)
// reads it from this header and logs it as Correlation-ID. API-M's gateway repeats it in its answers, as recorded.
const activityHeader = "activityid"

// NewRun returns the correlation id of a new run: a random UUID, as the servers make one for a request without an id.
func NewRun() string {
	var b [16]byte
	_, _ = rand.Read(b[:])                      // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4 of RFC 9562, section 5.4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ofRun sends the correlation id of a run with each request.
type ofRun struct {
	*http.Transport
	run string
}

// RoundTrip makes a request.
func (o ofRun) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(activityHeader, o.run)
	return o.Transport.RoundTrip(r)
}

// Connection keeps one HTTP client and its open connections. Only one goroutine uses it.
type Connection struct {
	// Run is the correlation id that new clients send with each request, such as that of [NewRun]; empty for none.
	Run string
	// Routes are addresses (host:port) that this process reaches at another one, such as a port of a container that its engine publishes.
	// The certificate there is verified as that of the first address.
	Routes map[string]string

	client *http.Client
	cas    []byte
}

// Client returns the kept client. It makes a new one for the first call, and when the content of the file caFile (see
// [Roots]) has changed.
func (c *Connection) Client(pins Pins, caFile string) (*http.Client, error) {
	var cas []byte
	if caFile != "" {
		var err error
		if cas, err = readRoots(caFile); err != nil {
			return nil, err
		}
	}
	if c.client != nil && bytes.Equal(cas, c.cas) {
		return c.client, nil
	}
	var roots *x509.CertPool
	if caFile != "" {
		var err error
		if roots, err = parseRoots(caFile, cas); err != nil {
			return nil, err
		}
	}
	c.Close()
	c.client, c.cas = newHTTPClient(pins, roots, c.Routes), cas
	if transport, is := c.client.Transport.(*http.Transport); is && c.Run != "" {
		c.client.Transport = ofRun{transport, c.Run}
	}
	return c.client, nil
}

// Close closes the idle connections, and makes the next call of Client return a new client.
func (c *Connection) Close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
		c.client = nil
	}
}
