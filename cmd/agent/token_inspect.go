package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/remedy"
	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

func tokenInspectCommand() *cobra.Command {
	var asJSON, offline bool
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Show what a token says, who has issued it, and whether its signature is right",
		Long: `inspect decodes the JWT in FILE, or on the standard input for - and for no FILE. It shows the header, the claims, the
times in words, and which key manager has issued the token. It verifies the signature with the keys of that key manager
(IS, API-M, or another one that API-M knows), and compares the clocks. It does not check whether somebody has revoked the
token; introspect does.

An opaque token says nothing itself, so that inspect asks the key managers, as introspect does.

It exits with 1 if the signature is wrong, or nobody could verify it, and if the token is not valid now. With --offline
it asks no server and verifies no signature.

A token is no argument, because other users of the machine can see arguments.`,
		Example: `  agent token | agent token inspect
  agent token inspect --json token.txt
  agent token inspect --offline token.txt`,
		Args: tokenFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := readSecretFile(cmd, "token", strings.Join(args, ""))
			if err != nil {
				return err
			}
			j, err := tokens.Decode(string(token))
			if errors.Is(err, tokens.ErrOpaque) && !offline {
				fmt.Fprintln(cmd.ErrOrStderr(), "the token is opaque, so the key managers are asked")
				return introspect(cmd, token, asJSON)
			}
			if err != nil {
				return remedy.Add(err, "agent token introspect asks the key manager")
			}
			return inspect(cmd, j, asJSON, offline)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no server, and verify no signature")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault // files
	}
	return cmd
}

// tokenFile refuses more than one argument, and one that is a token. It does not repeat it.
func tokenFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(cmd, "too many arguments: it takes FILE")
	}
	if len(args) == 1 && args[0] != "-" {
		if _, err := os.Stat(args[0]); err != nil && (strings.Count(args[0], ".") == 2 || len(args[0]) > 30) {
			return usage(cmd, "the argument looks like a token: give it in a file or on the standard input, because other users of the machine can see arguments")
		}
	}
	return nil
}

// inspection is what inspect prints.
type inspection struct {
	Issuer     string         `json:"issuer"`
	KeyManager string         `json:"keyManager"` // empty: unknown
	ClientID   string         `json:"clientId"`
	Subject    string         `json:"subject"`
	Scope      string         `json:"scope"`
	Validity   string         `json:"validity"`
	ExpiresAt  string         `json:"expiresAt"` // RFC 3339; empty: never
	Clock      string         `json:"clock"`     // empty: not compared
	Verified   bool           `json:"signatureVerified"`
	Valid      bool           `json:"valid"`     // the signature is verified and the times are right; nobody has asked whether it is revoked
	Signature  string         `json:"signature"` // what was found out about it
	Header     map[string]any `json:"header"`
	Claims     map[string]any `json:"claims"`
}

func inspectionOf(j tokens.JWT, now time.Time) inspection {
	i := inspection{
		Issuer: j.Text("iss"), ClientID: j.ClientID(), Subject: j.Text("sub"), Scope: strings.Join(wso2.Scopes(j.Claims["scope"]), " "), Validity: strings.Join(j.When(now), ", "),
		Signature: "not verified", Header: j.Header, Claims: j.Claims,
	}
	if at, ok := j.Expires(); ok {
		i.ExpiresAt = at.UTC().Format(time.RFC3339)
	}
	return i
}

// inspect prints what a token says. Its error says what is wrong with the token.
func inspect(cmd *cobra.Command, j tokens.JWT, asJSON, offline bool) error {
	now := time.Now()
	i := inspectionOf(j, now)
	var wrong error
	if !offline {
		wrong = i.verify(cmd, j)
	}
	if err := i.print(cmd.OutOrStdout(), asJSON); err != nil {
		return err
	}
	if wrong == nil {
		if why := j.Invalid(now); why != "" {
			wrong = errors.New(why)
		}
	}
	return wrong
}

// verify finds the issuer and verifies the signature.
func (i *inspection) verify(cmd *cobra.Command, j tokens.JWT) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	ctx := cmd.Context()
	keySet := ""
	if i.KeyManager, keySet, err = issuerOf(ctx, r, i.Issuer); err == nil {
		err = i.verifyWith(ctx, r.HTTP, j, keySet)
	}
	if err != nil {
		i.Signature = "not verified: " + err.Error()
		return fmt.Errorf("verify the token: %w", err)
	}
	i.Verified, i.Valid = true, j.Invalid(time.Now()) == ""
	i.Signature = fmt.Sprintf("verified, %v, with the keys at %s", j.Header["alg"], keySet)
	return nil
}

// verifyWith verifies the signature with the keys at an address, and compares the clock with that of the answer.
func (i *inspection) verifyWith(ctx context.Context, hc *http.Client, j tokens.JWT, keySet string) error {
	clock := &dated{RoundTripper: hc.Transport}
	timed := *hc
	timed.Transport = clock
	set, err := wso2.FetchJWKS(ctx, &timed, keySet)
	if err != nil {
		return err
	}
	if date, err := http.ParseTime(clock.date); err == nil {
		i.Clock = tokens.Skew(date, clock.sent, clock.received)
	}
	return j.Verify(set)
}

// dated keeps the date of the last answer.
type dated struct {
	http.RoundTripper
	date           string
	sent, received time.Time
}

// RoundTrip makes a request.
func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	d.sent = time.Now()
	resp, err := d.RoundTripper.RoundTrip(r)
	d.received = time.Now()
	if err == nil {
		d.date = resp.Header.Get("Date")
	}
	return resp, err
}

// issuerOf returns the name that API-M has for the key manager of an issuer, and the address of its keys. IS and API-M are asked where this
// machine reaches them; the address that API-M has of another key manager may be one that only API-M reaches. Without API-M the name stays
// empty.
func issuerOf(ctx context.Context, r *reached, issuer string) (name, keySet string, err error) {
	stored, err := r.Admin.KeyManagers(ctx)
	for _, listed := range stored {
		km, readErr := r.Admin.KeyManager(ctx, listed.ID)
		switch {
		case readErr != nil:
			err = readErr
		case km.Issuer == issuer:
			name = km.Name
			if km.Certificates.Type == "JWKS" {
				keySet = km.Certificates.Value
			}
		}
	}
	for _, own := range []*wso2.Identity{r.IS, r.AM} {
		if r.settings.SkipKeyManager && own == r.IS {
			continue
		}
		d, discoveryErr := own.Discovery(ctx)
		if discoveryErr == nil && d.Issuer == issuer {
			return name, own.JWKSURL(), nil
		}
		if err == nil { // the first one says enough
			err = discoveryErr
		}
	}
	switch {
	case keySet != "":
		return name, keySet, nil
	case err != nil:
		return name, "", fmt.Errorf("find the issuer %s: %w", printable(issuer), err)
	}
	return name, "", remedy.Add(fmt.Errorf("no key manager has the issuer %q, so its keys are unknown", issuer),
		"the token comes from another server, or [server] hostname in that server's deployment.toml was another one")
}

// print prints an inspection: what matters first, then everything.
func (i inspection) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, i)
	}
	signature := i.Signature
	if !i.Verified {
		signature = "not verified" // the error says why
	}
	err := details(w, [][2]string{
		{"issuer", i.Issuer}, {"key manager", i.KeyManager}, {"client", i.ClientID}, {"subject", i.Subject}, {"scope", i.Scope},
		{"validity", i.Validity}, {"clock", i.Clock}, {"signature", signature},
		{"revoked", "not checked: agent token introspect asks the key manager"}, // no JWT says it
	})
	for _, part := range []struct {
		name  string
		value map[string]any
	}{{"header", i.Header}, {"claims", i.Claims}} {
		if err == nil {
			_, err = fmt.Fprintf(w, "\n%s:\n", part.name)
		}
		if err == nil {
			err = writeJSON(w, part.value)
		}
	}
	return err
}
