package wso2

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Clock returns how far the clock of the server at an address is ahead of this machine's. The server answers with its time in seconds
// (RFC 9110, section 6.6.1), so the result is right to a second, and half the time that the request takes.
func Clock(ctx context.Context, hc *http.Client, address string) (ahead time.Duration, err error) {
	c, r := caller{http: hc, base: address}, request{op: "ask for the time", method: http.MethodGet}
	req, err := c.build(ctx, r)
	if err != nil {
		return 0, c.failed(r, &Error{Err: err, local: true})
	}
	sent := time.Now()
	resp, err := hc.Do(req)
	if err != nil {
		return 0, c.failed(r, &Error{Err: reason(err)})
	}
	resp.Body.Close()
	middle := sent.Add(time.Since(sent) / 2)
	said, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, c.failed(r, &Error{Status: resp.StatusCode, Err: fmt.Errorf("the answer has no date: %w", err)})
	}
	return said.Add(time.Second / 2).Sub(middle), nil
}
