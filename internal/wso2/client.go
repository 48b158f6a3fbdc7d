// Package wso2 speaks to the REST APIs of WSO2 API Manager 4.5 (carbon-apimgt 9.31) and Identity Server 7.1: typed
// requests and answers, errors that tell what to do, and TLS that trusts a peer by its certificate's fingerprint.
//
// There is one type per API, in files by topic. Their methods make one request each (for a list one for each page), and repeat one
// only in a context of [RepeatReads]: repeating is a decision about the whole task. [IsPermanent] says whether it is worth while.
// What is compared with a desired state comes as an [Object].
package wso2

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody is the most that is read of an answer, after decompression. The largest real one, a page of APIs, stays below
// 1 MiB.
const maxBody = 2 << 20

// Secret is a text that must not be shown: it prints, logs and marshals as "(secret)", and must be converted to a string
// to be used.
type Secret string

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(secret)" }

// LogValue hides the secret from a log.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// MarshalJSON hides the secret from a log in JSON. What a request sends is converted first.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Credentials are a user's name and password, for Basic authentication, or a client that only reads.
type Credentials struct {
	User     string
	Password Secret
	Source   string         // where they are set, to name when a server refuses them: "AM_ADMIN_USER and AM_ADMIN_PASS"
	Lockout  *Lockout       `json:"-"` // of this account; nil: none
	Reading  *ReadingClient `json:"-"` // instead of User and Password; nil: none
}

// caller makes requests to one API of one server.
type caller struct {
	http *http.Client
	base string // https://host:port and the API's path, no slash at the end
	cred *Credentials
}

// request is one call. A body is sent as JSON, a form as a form, xml as it is, parts as a multipart form; secrets are texts that the server's error
// message might repeat and that must not reach ours.
type request struct {
	op           string // what is attempted, on what: "create key manager WSO2-IS"
	method, path string
	query        url.Values
	body         any
	form         url.Values
	xml          string         // a body in XML
	parts        []part         // a body as a multipart form
	header       http.Header    // in addition to those that the other fields stand for
	accept       string         // what the answer may be; empty is JSON
	limit        int            // the most bytes that are read of the answer; 0 is maxBody
	cred         *Credentials   // instead of the caller's
	anonymous    bool           // no credentials at all
	token        Secret         // an access token, with anonymous
	reading      *ReadingClient // that the token belongs to; nil: none
	secrets      []Secret
}

// answer is what came back with a status below 300.
type answer struct {
	status int
	body   []byte
}

// call makes a request and decodes its JSON answer into out, unless out is nil.
func (c caller) call(ctx context.Context, r request, out any) error {
	if out == nil {
		_, err := c.send(ctx, r, nil)
		return err
	}
	_, err := c.send(ctx, r, func(body []byte) error { return decode(body, out) })
	return err
}

// checked is an answer that knows what it must have. A server that starts or stops, or a proxy before it, may answer 200 with a document
// that has nothing, such as {}.
type checked interface {
	check() error
}

// decode reads a JSON document; null is none.
func decode(body []byte, out any) error {
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return errors.New("it is null")
	}
	if err := json.Unmarshal(body, out); err != nil {
		return err
	}
	if c, is := out.(checked); is {
		return c.check()
	}
	return nil
}

// hasID is the check of what has an id.
func hasID(id string) error {
	if id == "" {
		return errNoID
	}
	return nil
}

// sendOnce makes a request.
func (c caller) sendOnce(ctx context.Context, r request) (answer, error) {
	if cred := c.credentials(r); cred != nil && cred.Reading != nil {
		return c.sendReading(ctx, r, *cred)
	}
	return c.exchange(ctx, r)
}

// exchange sends a request with the credentials that it has, and reads the answer.
func (c caller) exchange(ctx context.Context, r request) (answer, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return answer{}, c.failed(r, &Error{Err: err, local: true})
	}
	answered := answerNoted(func(context.Context, int, bool) string { return "" })
	if cred := c.credentials(r); cred != nil {
		if answered, err = cred.Lockout.allow(ctx, cred.Password); err != nil {
			var held heldBack
			known := errors.As(err, &held)
			return answer{}, c.failed(r, &Error{Err: err, local: known, doubt: held.why, RetryAfter: held.wait})
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		answered(ctx, 0, true)
		return answer{}, c.failed(r, &Error{Err: reason(err)})
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body, cmp.Or(r.limit, maxBody))
	doubt := answered(ctx, resp.StatusCode, len(body) == 0)
	if err != nil {
		return answer{}, c.failed(r, &Error{Status: resp.StatusCode, Err: err})
	}
	if resp.StatusCode >= 300 {
		e := parseError(resp, body, c.secrets(r))
		e.doubt = doubt
		return answer{}, c.failed(r, e)
	}
	return answer{resp.StatusCode, body}, nil
}

// build makes the HTTP request of r.
func (c caller) build(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.body != nil:
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(text), "application/json"
	case r.xml != "":
		body, contentType = strings.NewReader(r.xml), "text/xml"
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.parts != nil:
		text, kind, err := multipartForm(r.parts)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(text), kind
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, reason(err)
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("Accept", cmp.Or(r.accept, "application/json"))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if cred := c.credentials(r); cred != nil {
		req.SetBasicAuth(cred.User, string(cred.Password))
	} else if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+string(r.token))
	}
	return req, nil
}

// credentials are those that r is sent with, nil for none.
func (c caller) credentials(r request) *Credentials {
	if r.anonymous {
		return nil
	}
	return cmp.Or(r.cred, c.cred)
}

// secrets are the texts that no error of r may show, in whatever form the server repeats them: its own, and those that
// it is sent with. The password that the products ship is no secret, and a name that people read.
func (c caller) secrets(r request) []Secret {
	all := append(slices.Clone(r.secrets), r.token)
	if cred := c.credentials(r); cred != nil && cred.Password != "admin" {
		basic := base64.StdEncoding.EncodeToString([]byte(cred.User + ":" + string(cred.Password)))
		all = append(all, Secret(basic), cred.Password)
	}
	return all
}

// failed completes an error with what was attempted. The query stays out of the URL: names in it tell nothing that
// the operation does not, and nothing secret can come from there.
func (c caller) failed(r request, e *Error) *Error {
	e.Op, e.Method, e.URL = r.op, r.method, c.base+r.path
	if cred := c.credentials(r); cred != nil {
		e.credentials = cred.Source
	}
	e.reading = r.reading
	return e
}

// readBody reads a whole answer of at most limit bytes.
func readBody(r io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", reason(err))
	}
	if len(body) > limit {
		return nil, fmt.Errorf("the answer is larger than %d MiB", limit>>20)
	}
	return body, nil
}

// reason takes the method and URL off an error of net/http, which the caller's own error names already.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// noDocument is the error of a success that cannot be used.
func (c caller) noDocument(r request, why error) *Error {
	return c.failed(r, &Error{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", ErrNoDocument, why)})
}
