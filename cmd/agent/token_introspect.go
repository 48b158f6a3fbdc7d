package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

func tokenIntrospectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "introspect [FILE]",
		Short: "Ask the key managers whether a token is active, and what it means",
		Long: `introspect asks IS for the token in FILE, or on the standard input for - and for no FILE (RFC 7662). If the token is not
active there, it asks API-M, which issues the tokens of its Resident Key Manager. It needs the administrator of each
server, because IS refuses a client's own credentials.

It exits with 1 if the token is not active: it has expired, somebody has revoked it, or neither server has issued it.

A token is no argument, because other users of the machine can see arguments.`,
		Example: `  agent token | agent token introspect
  agent token introspect --json token.txt`,
		Args: tokenFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := readSecretFile(cmd, "token", strings.Join(args, ""))
			if err != nil {
				return err
			}
			return introspect(cmd, token, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault // files
	}
	return cmd
}

// introspect prints what the key managers know of a token. An error says that it is not active.
func introspect(cmd *cobra.Command, token wso2.Secret, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	known, server, err := askBoth(cmd.Context(), r, token)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		err = writeJSON(cmd.OutOrStdout(), introspectionOf(known, server))
	} else {
		err = details(cmd.OutOrStdout(), append([][2]string{{"active", fmt.Sprint(known["active"])}, {"server", server}}, introspected(known, time.Now())...))
	}
	if err == nil && known["active"] != true {
		err = remedy.Add(errors.New("the token is not active"), "it has expired, or somebody has revoked it: a newer token of the same client does that too")
	}
	return err
}

// introspection is what introspect prints as JSON. Its names are those of inspect.
type introspection struct {
	Active    bool           `json:"active"`
	Server    string         `json:"server"` // that knows the token: IS or API-M; empty: neither
	Issuer    string         `json:"issuer"`
	ClientID  string         `json:"clientId"`
	Subject   string         `json:"subject"`
	Scope     string         `json:"scope"`
	ExpiresAt string         `json:"expiresAt"` // RFC 3339; empty: never
	Answer    map[string]any `json:"answer"`    // all that the server says (RFC 7662, section 2.2)
}

func introspectionOf(answer map[string]any, server string) introspection {
	text := func(name string) string { value, _ := answer[name].(string); return value }
	i := introspection{answer["active"] == true, server, text("iss"), text("client_id"), text("sub"), text("scope"), "", answer}
	if seconds, ok := answer["exp"].(float64); ok {
		i.ExpiresAt = time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
	}
	return i
}

// askBoth returns what IS knows of a token, or API-M if the token is not active in IS.
func askBoth(ctx context.Context, r *reached, token wso2.Secret) (answer map[string]any, server string, err error) {
	if !r.settings.SkipKeyManager {
		answer, err = r.IS.Introspect(ctx, token)
		if err == nil && answer["active"] == true {
			return answer, "IS", nil
		}
	}
	second, secondErr := r.AM.Introspect(ctx, token)
	if secondErr == nil && second["active"] == true {
		return second, "API-M", nil
	}
	if err = errors.Join(err, secondErr); err != nil {
		return nil, "", err
	}
	return second, "", nil
}

// introspected are the lines of a known token, what matters first. Times are in words. What inspect shows too has the same name.
func introspected(known map[string]any, now time.Time) [][2]string {
	lines := [][2]string{}
	first := []string{"token_type", "iss", "client_id", "sub", "username", "scope"}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(name string) bool { return name == "active" || slices.Contains(first, name) })
	labels := map[string]string{"iss": "issuer", "client_id": "client", "sub": "subject"}
	for _, name := range append(first, rest...) {
		value, has := known[name]
		if !has {
			continue
		}
		text := fmt.Sprint(value)
		seconds, isNumber := value.(float64)
		switch {
		case name == "scope":
			text = strings.Join(wso2.Scopes(value), " ")
		case isNumber && (name == "exp" || name == "iat" || name == "nbf"):
			text = time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339) + ", " + away(time.Unix(int64(seconds), 0).Sub(now))
		case isNumber:
			number, _ := json.Marshal(value)
			text = string(number)
		}
		lines = append(lines, [2]string{cmp.Or(labels[name], name), text})
	}
	return lines
}

// away says how far a time is.
func away(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " ago"
	}
	return "in " + d.Round(time.Second).String()
}
