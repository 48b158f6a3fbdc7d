package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// tokenAsked is what the flags of token ask for.
type tokenAsked struct {
	choice
	grant                               string
	scopes                              []string
	user, listen                        string
	passwordStdin, decode, asJSON, show bool
	refreshFile, assertionFile          string
	subjectFile, subjectType            string
	wait                                time.Duration
}

// flagsOfGrants are the flags that only some grants have.
var flagsOfGrants = map[string][]string{
	"user": {"password"}, "password-stdin": {"password"}, "refresh-token-file": {"refresh_token"}, "assertion-file": {"jwt-bearer"},
	"subject-token-file": {"token-exchange"}, "subject-token-type": {"token-exchange"}, "listen": {"authorization_code"},
	"wait": {"authorization_code", "device_code"},
}

func tokenCommand() *cobra.Command {
	var t tokenAsked
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print an access token of the application, to try an API; or inspect, introspect or revoke one",
		Long: `token requests an access token with the keys of an application in the file that KEYS_FILE names, and prints it and
nothing else.

The new token revokes the previous token of the application, unless TOKENS_SIDE_BY_SIDE is true. A scope that the key
manager does not grant is a warning.

Grants, each of which the application's key must have in its grant_types:

    client_credentials   a token of the application itself (default)
    password             a token of the user --user, with the password
    refresh_token        the successor of a refresh token, which is valid once
    authorization_code   a token of the person who logs in at the printed address with a browser on this machine.
                         IS must have http://127.0.0.1/callback among the callbacks of the key; it compares no port
    device_code          a token of the person who logs in at the printed address on any machine
    jwt-bearer           a token for the signed JWT of an identity provider that IS knows (RFC 7523)
    token-exchange       the same for its token (RFC 8693)

Passwords and tokens are never flags or arguments, because other users of the machine can see these. They come from
the standard input or a file, and a terminal does not show them.

With --json the answer of the key manager is printed as JSON, its tokens only with --show-secrets.`,
		Example: `  agent token                                               # for curl: --oauth2-bearer $(agent token)
  agent token --app Shop --scope orders:read --decode       # what the token says
  agent token --grant password --user ann --password-stdin < password
  agent token --grant authorization_code --scope openid --json --show-secrets
  agent token inspect token.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && suggest.Nearest(args[0], commandNames(cmd)) != "" {
				return unknownCommand(cmd, args[0])
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd) },
	}
	t.choice.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&t.grant, "grant", tokens.Grants[0], "how to get the token, a `GRANT`: "+strings.Join(tokens.Grants, ", "))
	f.StringArrayVar(&t.scopes, "scope", nil, "ask for `SCOPE`; can be repeated, and may have several with blanks between them")
	f.StringVar(&t.user, "user", "", "the `NAME` of the user, for password")
	f.BoolVar(&t.passwordStdin, "password-stdin", false, "read the password from the standard input; needed where that is no terminal")
	f.StringVar(&t.refreshFile, "refresh-token-file", "", "read the refresh token from `FILE` (default: the standard input)")
	f.StringVar(&t.assertionFile, "assertion-file", "", "read the JWT for jwt-bearer from `FILE` (default: the standard input)")
	f.StringVar(&t.subjectFile, "subject-token-file", "", "read the token for token-exchange from `FILE` (default: the standard input)")
	f.StringVar(&t.subjectType, "subject-token-type", "jwt", "what the token for token-exchange is: `TYPE` jwt or access_token")
	f.StringVar(&t.listen, "listen", "127.0.0.1:0", "where the browser comes back to: a loopback `ADDRESS`; port 0 is a free one")
	f.DurationVar(&t.wait, "wait", 5*time.Minute, "how long a person has for the login, at most `TIME`")
	f.BoolVar(&t.decode, "decode", false, "print what the token says, not the token")
	f.BoolVar(&t.asJSON, "json", false, "print JSON")
	f.BoolVar(&t.show, "show-secrets", false, "with --json: do not mask the tokens")
	_ = cmd.RegisterFlagCompletionFunc("grant", cobra.FixedCompletions(tokens.Grants, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("subject-token-type", cobra.FixedCompletions([]string{"jwt", "access_token"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(tokenInspectCommand(), tokenIntrospectCommand(), tokenRevokeCommand())
	return cmd
}

// check refuses flags that contradict each other.
func (t *tokenAsked) check(cmd *cobra.Command) error {
	if !slices.Contains(tokens.Grants, t.grant) {
		return usageError{fmt.Errorf("%s: unknown grant %q%s", cmd.CommandPath(), t.grant, suggest.Hint(t.grant, tokens.Grants))}
	}
	for flag, grants := range flagsOfGrants {
		if cmd.Flags().Changed(flag) && !slices.Contains(grants, t.grant) {
			return usage(cmd, "--%s is for --grant %s", flag, strings.Join(grants, " and "))
		}
	}
	_, onTerminal := terminal(cmd)
	switch {
	case t.grant == "password" && t.user == "":
		return usage(cmd, "--user is missing")
	case t.grant == "password" && !t.passwordStdin && !onTerminal:
		return usage(cmd, "nobody can type the password here: give it on the standard input, with --password-stdin")
	case t.subjectType != "jwt" && t.subjectType != "access_token":
		return usage(cmd, "--subject-token-type is jwt or access_token")
	case !isLoopback(t.listen):
		return usage(cmd, "--listen must be a loopback address such as 127.0.0.1:8765, because the code goes there in clear text")
	case t.wait <= 0:
		return usage(cmd, "--wait must be more than 0")
	case t.decode && t.show:
		return usage(cmd, "--decode prints no secret to show")
	}
	t.scopes = strings.Fields(strings.Join(t.scopes, " "))
	return nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// run gets the token and prints it. Without --json and --decode it prints nothing else on stdout, so that a shell can put the token into
// another command line.
func (t *tokenAsked) run(cmd *cobra.Command) error {
	if err := t.check(cmd); err != nil {
		return err
	}
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	key, err := t.key(r)
	if err != nil {
		return err
	}
	token, err := t.get(cmd, clientOf(r, key))
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(t.scopes), func(s string) bool { return slices.Contains(token.Scopes, s) })
	if len(missing) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: not granted: %s. agent scopes status shows what the application is authorized for; a user also needs a role with the scope\n",
			strings.Join(missing, " "))
	}
	switch {
	case t.decode:
		return t.printDecoded(cmd.OutOrStdout(), token.AccessToken)
	case t.asJSON:
		return writeJSON(cmd.OutOrStdout(), map[string]any{
			"application": key.Application, "keyType": key.Type, "keyManager": key.KeyManager, "grant": t.grant,
			"access_token": masked(token.AccessToken, t.show), "refresh_token": masked(token.RefreshToken, t.show), "id_token": masked(token.IDToken, t.show),
			"expires_in": int(token.ExpiresIn.Seconds()), "scope": strings.Join(token.Scopes, " "), "notGranted": orEmpty(missing),
		})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(token.AccessToken))
	return err
}

// get gets the token by the grant.
func (t *tokenAsked) get(cmd *cobra.Command, client tokens.Client) (wso2.Token, error) {
	ctx := cmd.Context()
	given := url.Values{}
	var secret wso2.Secret
	var err error
	switch t.grant {
	case "password":
		secret, err = readSecret(cmd, "password of "+t.user)
		given.Set("username", t.user)
		given.Set("password", string(secret))
	case "refresh_token":
		secret, err = readSecretFile(cmd, "refresh token", t.refreshFile)
		given.Set("refresh_token", string(secret))
	case "jwt-bearer":
		secret, err = readSecretFile(cmd, "JWT", t.assertionFile)
		given.Set("assertion", string(secret))
	case "token-exchange":
		secret, err = readSecretFile(cmd, "token", t.subjectFile)
		given.Set("subject_token", string(secret))
		given.Set("subject_token_type", "urn:ietf:params:oauth:token-type:"+t.subjectType)
	case "authorization_code":
		return t.browse(ctx, client, cmd.ErrOrStderr())
	case "device_code":
		token, err := client.Device(ctx, t.scopes, t.wait, func(d wso2.DeviceCode) { showDevice(cmd.ErrOrStderr(), d) })
		return token, inTime(err, t.wait)
	}
	if err != nil {
		return wso2.Token{}, err
	}
	return client.Token(ctx, t.grant, t.scopes, given)
}

// browse gets the token of a person who logs in with a browser on this machine.
func (t *tokenAsked) browse(ctx context.Context, client tokens.Client, stderr io.Writer) (wso2.Token, error) {
	l, err := net.Listen("tcp", t.listen)
	if err != nil {
		return wso2.Token{}, remedy.Add(fmt.Errorf("wait for the browser: %w", err), "choose another address with --listen")
	}
	token, err := client.Code(ctx, l, t.scopes, t.wait, func(address string) {
		fmt.Fprintf(stderr, "open this address in a browser on this machine:\n%s\n", address)
	})
	return token, inTime(err, t.wait)
}

func showDevice(stderr io.Writer, d wso2.DeviceCode) {
	fmt.Fprintf(stderr, "open %s in a browser, and enter the code %s\n", printable(d.Page), printable(d.UserCode))
	if d.Complete != "" {
		fmt.Fprintf(stderr, "or open this address, which has the code in it:\n%s\n", printable(d.Complete))
	}
}

// inTime adds to an error that the time for a login is over how to have more.
func inTime(err error, wait time.Duration) error {
	if err != nil && exitCode(err) == exitTimeout {
		return remedy.Add(fmt.Errorf("nobody has logged in within %s: %w", wait, err), "try again, or give more time with --wait")
	}
	return err
}

// printDecoded prints what a token says, without a look at a server.
func (t *tokenAsked) printDecoded(w io.Writer, token wso2.Secret) error {
	j, err := tokens.Decode(string(token))
	if err != nil {
		return remedy.Add(err, "let the key manager issue JWTs, or ask it with agent token introspect")
	}
	return inspectionOf(j, time.Now()).print(w, t.asJSON)
}
