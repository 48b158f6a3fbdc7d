package wso2

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors that callers tell apart. They are found with errors.Is.
var (
	// ErrNoPinYet: the address is a peer's, but the peer has published no certificate. It will, so try again.
	ErrNoPinYet = errors.New("the peer has published no certificate yet")
	// ErrNotPinned: a peer showed another certificate than it published.
	ErrNotPinned = errors.New("the certificate is not the one that the peer published")
	// ErrNoDocument: a success without the JSON document that belongs to it, as from a server that starts or stops.
	ErrNoDocument = errors.New("the answer is not the JSON document that was asked for")
	// ErrPlaintext: an http:// address, over which no password may go.
	ErrPlaintext = errors.New("the address is not https")
)

// Codes of API-M's errors (carbon-apimgt, ExceptionCodes) that callers decide on.
const (
	CodeKeyManagerExists  = 901402 // 409: a key manager of this name
	CodeNoKeyManager      = 901403 // 400: the key manager is unknown, disabled or not loaded
	CodeKeyManagerGone    = 901411 // 404: no key manager has this id
	CodeKeyManagerInUse   = 902015 // 412: an API or an application uses it
	CodeKeyMappingExists  = 901409 // 409: the application has keys, or a row left behind by a failure
	CodeOneSecret         = 900916 // 403: further secrets of clients are switched off
	CodeKeyManagerRefuses = 900967 // 500: the key manager refuses or fails
	CodeAPIExists         = 900300 // 409: an API of this name and version
	CodeRevisionLimit     = 900351 // 400: as many revisions as are allowed
	CodeLifecycle         = 903234 // 400: the API's lifecycle does not allow this change now
	CodeNoPolicy          = 900305 // 400: no throttling policy has this name
	CodeVersionExists     = 900252 // 409: this version of the API exists
	CodeDocumentExists    = 900312 // 409: the API has a document of this name
	CodeScopeExists       = 900984 // 409: a scope of this name, shared or local
	CodeScopeInUse        = 900985 // 409: an API uses the shared scope
)

// CodeTextNoClient is OAuth's error for a client that the server does not know, or that has another secret (RFC 6749, section
// 5.2). It is no word about a user.
const CodeTextNoClient = "invalid_client"

// CodeTextUnauthorizedClient is OAuth's error for a client that may not use a grant (RFC 6749, section 5.2), and IS's for one that revokes the
// token of another client.
const CodeTextUnauthorizedClient = "unauthorized_client"

// Error is a request that failed: without an answer (Status 0), or with one that is no success.
type Error struct {
	Op          string        // what was attempted, on what
	Method, URL string        // without query
	Status      int           // HTTP status, 0 where no answer came
	Code        int           // API-M's error code, 0 where the answer has none
	CodeText    string        // IS's error code, such as APP-60509, or OAuth's, such as invalid_client; "" where the answer has none
	Description string        // the server's own words, at most 300 bytes, without secrets
	RetryAfter  time.Duration // how long the server asks to wait, 0 where it does not say
	Err         error         // why no answer came

	credentials string         // where those that were sent are set
	reading     *ReadingClient // whose token was sent; nil: none
	local       bool           // the request could not even be made
	empty       bool           // the answer has no body
	doubt       string         // why a refused password may be right, see Lockout, or a refused token; empty if nothing speaks for that
}

// Error tells what was attempted, where, why it failed and what to do about it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s %s): ", e.Op, e.Method, e.URL)
	switch {
	case e.Err != nil && isTimeout(e.Err):
		b.WriteString("no answer in time")
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		fmt.Fprintf(&b, "HTTP %d", e.Status)
		if e.Code != 0 && e.Code != e.Status {
			fmt.Fprintf(&b, ", code %d", e.Code)
		} else if strings.Contains(e.CodeText, "-") {
			fmt.Fprintf(&b, ", code %s", e.CodeText)
		}
		if e.Description != "" {
			fmt.Fprintf(&b, ": %s", e.Description)
		}
	}
	if remedy := e.Remedy(); remedy != "" {
		fmt.Fprintf(&b, "; %s", remedy)
	}
	return b.String()
}

// Unwrap gives the cause where no answer came.
func (e *Error) Unwrap() error { return e.Err }

// Permanent says that the same request will fail in the same way until a person changes something: a refused
// password, a request that the server finds wrong. What a network or a busy or starting server does is not permanent.
func (e *Error) Permanent() bool {
	if e.doubt != "" {
		return false
	}
	if e.local || errors.Is(e.Err, ErrPlaintext) {
		return true
	}
	if e.Err != nil {
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusNotFound:
		// The APIs themselves answer 404 with a code in a JSON body. Without one, no web application is there yet.
		return e.Code != 0
	}
	return e.Status >= 400 && e.Status < 500
}

// IsPermanent says whether err is, or wraps, an [Error] that will stay until a person changes something.
func IsPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Permanent()
}

// HasCode says whether err is, or wraps, an [Error] with one of API-M's codes.
func HasCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// HasCodeText says whether err is, or wraps, an [Error] with one of the given codes of IS.
func HasCodeText(err error, codes ...string) bool {
	var e *Error
	return errors.As(err, &e) && e.CodeText != "" && slices.Contains(codes, e.CodeText)
}

// HasStatus says whether err is, or wraps, an [Error] of this HTTP status.
func HasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// RetryAfter is how long the server asked to wait before the next try, 0 where it did not.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// parseError reads the error of an answer. Four shapes occur: API-M's {code, message, description, error[]}, OAuth's
// {error, error_description}, IS's {code, message, description} with a code that is a text, and SCIM's {status, scimType, detail}
// (RFC 7644, section 3.12), whose scimType has the reason if the detail is a fixed text. A body that is no JSON
// (a page of the servlet container) is not repeated. Secrets are taken out before the text is shortened: half of one
// would not be recognised.
func parseError(resp *http.Response, body []byte, secrets []Secret) *Error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	e.empty = len(body) == 0
	if resp.StatusCode < 400 {
		e.Description = "redirected to " + redirectTarget(resp)
		return e
	}
	var doc struct {
		Code        any    `json:"code"`
		Message     string `json:"message"`
		Description string `json:"description"`
		OAuth       string `json:"error_description"`
		Error       any    `json:"error"`
		SCIMType    string `json:"scimType"`
		Detail      string `json:"detail"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return e
	}
	if text, ok := doc.Code.(string); ok {
		e.CodeText = text
	}
	e.Code, _ = strconv.Atoi(fmt.Sprint(doc.Code))
	if doc.Detail != "" {
		e.Code = resp.StatusCode
	}
	words := []string{doc.Message, doc.Description, doc.OAuth, doc.SCIMType, doc.Detail}
	switch errs := doc.Error.(type) {
	case string:
		e.CodeText = cmp.Or(e.CodeText, errs)
		words = append([]string{errs}, words...)
	case []any:
		for _, one := range errs {
			if m, ok := one.(map[string]any); ok {
				words = append(words, fmt.Sprint(m["message"]))
			}
		}
	}
	e.Description = trim(redact(join(words), secrets), 300)
	return e
}

// redirectTarget is where an answer points to, without its query, which may hold a session.
func redirectTarget(resp *http.Response) string {
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "somewhere else"
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}

// join puts words together, leaving out empty ones and those that an earlier one contains.
func join(words []string) string {
	text := ""
	for _, w := range words {
		w = strings.TrimSpace(w)
		switch {
		case w == "" || strings.Contains(text, w):
		case text == "":
			text = w
		default:
			text += ": " + w
		}
	}
	return text
}

// trim shortens a text to a length in bytes and takes line breaks and control characters out of it.
func trim(text string, length int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > length {
		text = strings.ToValidUTF8(text[:length], "") + "…"
	}
	return text
}

// redact takes secrets out of a text, also as they stand in JSON, XML and URLs.
func redact(text string, secrets []Secret) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		inJSON, _ := json.Marshal(string(s)) // a text can always be marshalled
		for _, form := range []string{string(s), strings.Trim(string(inJSON), `"`), html.EscapeString(string(s)), url.QueryEscape(string(s)), url.PathEscape(string(s))} {
			text = strings.ReplaceAll(text, form, s.String())
		}
	}
	return text
}

// maxRetryAfter bounds how long a server can make us wait.
const maxRetryAfter = 10 * time.Minute

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}
