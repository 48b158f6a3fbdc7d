package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
	"wso2agent/internal/objects"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// dataLimit is the most that a call sends, in bytes.
const dataLimit = 4 << 20

// calling is what the flags of call ask for.
type calling struct {
	choice
	scopes, headers          []string
	method, data             string
	tokenStdin, asJSON, show bool
}

func callCommand() *cobra.Command {
	var c calling
	cmd := &cobra.Command{
		Use:   "call API[:VERSION] [PATH]",
		Short: "Call an API through the gateway with a token of an application",
		Long: `call calls an API through API-M's gateway (GW_HOST, GW_PORT) with a new token of an application in KEYS_FILE, and shows
the status, the time, the headers and the body of the answer. PATH is that of a resource of the API, with a query if
you like; it defaults to /. API may also be a whole path at the gateway, such as /orders/1.0.0/items, which needs no
administrator of API-M.

The new token revokes the previous token of the application, unless TOKENS_SIDE_BY_SIDE is true. With --token-stdin the
call has the token on the standard input.

It exits with 1 if the status is 400 or above. If the gateway itself refuses the call, the hint says what to do.
Tokens and cookies in the answer are masked without --show-secrets.`,
		Example: `  agent call Orders
  agent call Orders:1.0.0 /items?limit=5 --app Shop --scope orders:read
  agent call Orders /items --data item.json --header 'X-Trace: 1'
  agent token | agent call Orders /items --token-stdin --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || args[0] == "":
				return usage(cmd, "API is missing")
			case len(args) > 2 || len(args) == 2 && strings.HasPrefix(args[0], "/"):
				return usage(cmd, "too many arguments: it takes API[:VERSION] and PATH, or one path that begins with /")
			}
			return nil
		},
		ValidArgsFunction: completed(apiNames),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	c.choice.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.method, "method", "X", "", "the HTTP `METHOD` (default: GET, or POST with --data)")
	f.StringVar(&c.data, "data", "", "send the content of `FILE`, or of the standard input for -")
	f.StringArrayVar(&c.headers, "header", nil, "send the header `'NAME: VALUE'`; can be repeated")
	f.StringArrayVar(&c.scopes, "scope", nil, "ask for a token with `SCOPE`; can be repeated, and may have several with blanks between them")
	f.BoolVar(&c.tokenStdin, "token-stdin", false, "call with the token on the standard input, not with a new one")
	f.BoolVar(&c.asJSON, "json", false, "print JSON")
	f.BoolVar(&c.show, "show-secrets", false, "do not mask tokens and cookies in the answer")
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// request returns the call that flags and arguments ask for, without token and path.
func (c calling) request(cmd *cobra.Command) (wso2.Request, error) {
	call := wso2.Request{Method: strings.ToUpper(cmp.Or(c.method, http.MethodGet)), Header: http.Header{}}
	switch {
	case c.tokenStdin && (c.choice != choice{} || len(c.scopes) > 0):
		return call, usage(cmd, "--token-stdin has a token already: it goes with neither --app, --key-manager, --sandbox nor --scope")
	case c.tokenStdin && c.data == "-":
		return call, usage(cmd, "the standard input cannot have both the token and the data")
	}
	for _, h := range c.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
			return call, usage(cmd, "--header must be like 'NAME: VALUE'") // the value may be a secret
		}
		call.Header.Add(name, strings.TrimSpace(value))
	}
	var err error
	switch c.data {
	case "":
		return call, nil
	case "-":
		call.Body, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), dataLimit+1))
		if err == nil && len(call.Body) > dataLimit {
			err = fmt.Errorf("the standard input is larger than %d MiB", dataLimit>>20)
		}
	default:
		call.Body, err = file.Read(c.data, dataLimit)
	}
	if err != nil {
		return call, fmt.Errorf("read the data to send: %w", err)
	}
	if c.method == "" {
		call.Method = http.MethodPost
	}
	if call.Header.Get("Content-Type") == "" {
		call.Header.Set("Content-Type", "application/json")
	}
	return call, nil
}

func (c calling) run(cmd *cobra.Command, args []string) error {
	call, err := c.request(cmd)
	if err != nil {
		return err
	}
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	ctx := cmd.Context()
	if call.Path, err = gatewayPath(ctx, r, args); err != nil {
		return err
	}
	if call.Token, err = c.token(cmd, r); err != nil {
		return byHand(err)
	}
	answer, err := r.Gateway.Send(ctx, call)
	if err != nil {
		return err
	}
	if err := c.shown(answer, call.Token).print(cmd.OutOrStdout(), c.asJSON); err != nil {
		return err
	}
	return refusedCall(answer)
}

// gatewayPath returns the path of a call at the gateway.
func gatewayPath(ctx context.Context, r *reached, args []string) (string, error) {
	if strings.HasPrefix(args[0], "/") {
		return args[0], nil
	}
	list, err := r.Publisher.APIs(ctx)
	if err != nil {
		return "", byHand(err)
	}
	api, err := objects.PickAPI(args[0], list)
	if err != nil {
		return "", err
	}
	path := "/"
	if len(args) == 2 {
		path = "/" + strings.TrimPrefix(args[1], "/")
	}
	return bootstrap.GatewayPath(api.Context, api.Version) + path, nil
}

// token is the one from the standard input, or a new one.
func (c calling) token(cmd *cobra.Command, r *reached) (wso2.Secret, error) {
	if c.tokenStdin {
		return readSecret(cmd, "token")
	}
	key, err := c.key(r)
	if err != nil {
		return "", err
	}
	token, err := clientOf(r, key).Token(cmd.Context(), "client_credentials", strings.Fields(strings.Join(c.scopes, " ")), nil)
	return token.AccessToken, err
}

// refusedCall is the error of an answer of 400 and above.
func refusedCall(a wso2.Answer) error {
	switch {
	case a.Status < 400:
		return nil
	case a.Code == "":
		return fmt.Errorf("the API answers HTTP %d", a.Status)
	}
	err := fmt.Errorf("the gateway answers HTTP %d, code %s: %s", a.Status, printable(a.Code), printable(strings.TrimSpace(a.Message)))
	if hint := a.Remedy(); hint != "" {
		return remedy.Add(err, "%s", hint)
	}
	return err
}

// shownAnswer is an answer as call prints it.
type shownAnswer struct {
	Method       string              `json:"method"`
	URL          string              `json:"url"`
	Status       int                 `json:"status"`
	Milliseconds int64               `json:"milliseconds"`
	Headers      map[string][]string `json:"headers"`
	Body         string              `json:"body"`       // if it is a text
	BodyBase64   string              `json:"bodyBase64"` // if it is none
	BodyCut      bool                `json:"bodyCut"`    // it has more than 64 KiB
	GatewayCode  string              `json:"gatewayCode"`
	took         time.Duration
	size         int // of the body, in bytes
}

// shown masks what an answer repeats of the token, and cookies. A blocked API repeats the caller's header.
func (c calling) shown(a wso2.Answer, token wso2.Secret) shownAnswer {
	mask := func(text string) string {
		if c.show || token == "" {
			return text
		}
		return strings.ReplaceAll(text, string(token), token.String())
	}
	s := shownAnswer{
		Method: a.Method, URL: a.URL, Status: a.Status, Milliseconds: a.Took.Milliseconds(), Headers: map[string][]string{}, BodyCut: a.Cut,
		GatewayCode: a.Code, took: a.Took, size: len(a.Body),
	}
	for name, values := range a.Header {
		for _, value := range values {
			if !c.show && (name == "Set-Cookie" || name == "Authorization") {
				value = token.String()
			}
			s.Headers[name] = append(s.Headers[name], mask(value))
		}
	}
	body := a.Body
	if a.Cut {
		body = wholeLetters(body)
	}
	if isText(body) {
		s.Body = mask(string(body))
	} else {
		s.BodyBase64 = base64.StdEncoding.EncodeToString([]byte(mask(string(a.Body))))
	}
	return s
}

// wholeLetters returns a body without its last letter if that is cut in two.
func wholeLetters(body []byte) []byte {
	for end := len(body) - 1; end >= max(0, len(body)-utf8.UTFMax); end-- {
		if utf8.RuneStart(body[end]) {
			if !utf8.FullRune(body[end:]) {
				return body[:end]
			}
			break
		}
	}
	return body
}

// isText reports whether a body is a text for people.
func isText(body []byte) bool {
	return utf8.Valid(body) && !strings.ContainsFunc(string(body), func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) })
}

// print prints an answer, the headers in order.
func (s shownAnswer) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, s)
	}
	fmt.Fprintf(w, "%s %s\n%d %s in %s\n", s.Method, printable(s.URL), s.Status, http.StatusText(s.Status), s.took.Round(time.Millisecond))
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		for _, value := range s.Headers[name] {
			fmt.Fprintf(w, "%s: %s\n", printable(name), printable(value))
		}
	}
	body := escapedLines(s.Body)
	if s.BodyBase64 != "" {
		body = fmt.Sprintf("(%d bytes that are no text)", s.size)
	}
	if s.BodyCut {
		body += "\n(the rest is left out)"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.TrimSuffix(body, "\n"))
	return err
}
