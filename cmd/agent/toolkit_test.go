package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wso2agent/internal/doctor"
	"wso2agent/internal/wso2"
)

// The answers of a person are in the scripts, which have a terminal.
func TestConfirmNeedsAFlagWhereNobodyCanAnswer(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, in := range map[string]io.Reader{"a pipe": strings.NewReader("y\n"), "the null device": null} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			cmd := &cobra.Command{Use: "delete"}
			cmd.SetIn(in)
			cmd.SetErr(&stderr)
			var yes bool
			agree(cmd, &yes)
			if err := cmd.Flags().Set("yes", "true"); err != nil {
				t.Fatal(err)
			}
			if err := confirm(cmd, "Delete it?", yes); err != nil || stderr.Len() > 0 {
				t.Errorf("with --yes: error %v, stderr %q", err, &stderr)
			}
			var usage usageError
			if err := confirm(cmd, "Delete it?", false); !errors.As(err, &usage) || !strings.Contains(err.Error(), `delete asks "Delete it?"`) || !strings.HasSuffix(err.Error(), "add --yes to agree") {
				t.Errorf("without --yes: error %v", err)
			}
		})
	}
}

func TestTablesQuoteWhatWouldSteerATerminal(t *testing.T) {
	var out bytes.Buffer
	if err := table(&out, []string{"NAME", "OWNER"}, [][]string{{"a\x1b[2J", ""}, {"b", yesNo(true)}}); err != nil {
		t.Fatal(err)
	}
	if err := details(&out, [][2]string{{"name", "x\ny"}, {"owner", ""}, {"enabled", yesNo(false)}}); err != nil {
		t.Fatal(err)
	}
	const want = "NAME        OWNER\n\"a\\x1b[2J\"  -\nb           yes\nname:     \"x\\ny\"\nenabled:  no\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestPrintableQuotesWhatDoesNotPrint(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"Grüße, 世界 \"x\"":  "Grüße, 世界 \"x\"",
		"a\x1b[2J":         `"a\x1b[2J"`,
		"a\x7f":            `"a\x7f"`,
		"a\u009b2J":        `"a\u009b2J"`,
		"a\x9b2J":          `"a\x9b2J"`, // no UTF-8: a terminal may take the byte for a C1 control
		"nimda\u202eadmin": `"nimda\u202eadmin"`,
		"a\u202ab\u2066c":  `"a\u202ab\u2066c"`,
		"ad\u200bmin":      `"ad\u200bmin"`,
		"a\u2028b":         `"a\u2028b"`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%+q) = %s, want %s", text, got, want)
		}
	}
}

func TestJSONEscapesWhatWouldSteerATerminal(t *testing.T) {
	const name = "a\u009b2J\x7f\u202eb\u2028"
	var out bytes.Buffer
	if err := writeJSON(&out, map[string]string{"name": name}); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"name\": \"a\\u009b2J\\u007f\\u202eb\\u2028\"\n}\n"; out.String() != want {
		t.Errorf("got %+q, want %+q", &out, want)
	}
	var read map[string]string
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || read["name"] != name {
		t.Errorf("a program reads %+q, error %v", read["name"], err)
	}
}

func TestADiagnosisDoesNotSteerATerminal(t *testing.T) {
	const text = "a\u009b2J"
	var out bytes.Buffer
	if err := printDiagnoses(&out, doctor.Facts{Unread: []doctor.Unread{{What: text, Why: text}}}, []doctor.Diagnosis{{Evidence: []string{text}, Remedy: text}}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), text) || strings.Count(out.String(), `"a\u009b2J"`) != 4 {
		t.Errorf("the output is %+q", &out)
	}
}

func TestASecretIsMaskedUnlessAPersonAsksForIt(t *testing.T) {
	for _, tc := range []struct {
		secret wso2.Secret
		show   bool
		want   string
	}{{"s3cret", false, "(secret)"}, {"s3cret", true, "s3cret"}, {"", false, ""}} {
		if got := masked(tc.secret, tc.show); got != tc.want {
			t.Errorf("masked(%q, %t) = %q, want %q", string(tc.secret), tc.show, got, tc.want)
		}
	}
}

func TestCompletionOffersTheNamesOfTheServerAndIsSilentOtherwise(t *testing.T) {
	names := func(context.Context, *reached, []string) ([]string, error) {
		return []string{"Orders", "Order Desk", "Pay", "Or\nder", "Or\tder", "Or\x1b[2Jder", "Or\u202eder", "_activeHelp_ Run this"}, nil
	}
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	complete := completed(names, func(_ context.Context, _ *reached, args []string) ([]string, error) {
		return args, errors.New("no answer")
	})
	for _, tc := range []struct {
		args  []string
		begun string
		want  []string
	}{{nil, "Or", []string{"Orders", "Order Desk"}}, {nil, "", []string{"Orders", "Order Desk", "Pay"}}, {[]string{"Orders"}, "", nil}, {[]string{"Orders", "Pay"}, "", nil}} {
		got, directive := complete(cmd, tc.args, tc.begun)
		if !slices.Equal(got, tc.want) || directive != cobra.ShellCompDirectiveNoFileComp {
			t.Errorf("%q %q: %q with the directive %d, want %q", tc.args, tc.begun, got, directive, tc.want)
		}
	}
	t.Setenv("AM_PORT", "none")
	if got, _ := complete(cmd, nil, ""); got != nil {
		t.Errorf("with a setting that is wrong: %q", got)
	}
}

func TestArgumentsRepeatNothingThatAPersonTyped(t *testing.T) {
	cmd := &cobra.Command{Use: "show"}
	check := arguments("APP", "API")
	for _, tc := range []struct {
		args []string
		want string
	}{{[]string{"a", "b"}, ""}, {[]string{"a"}, "API is missing"}, {[]string{"", "b"}, "APP is missing"}, {[]string{"a", "b", "s3cret"}, "too many arguments: it takes APP API"}} {
		err := check(cmd, tc.args)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%q: %v, want %q", tc.args, err, tc.want)
		}
	}
}

// Names of objects that do not exist yet, and files, need no names from a server.
func TestEveryCommandOfTheToolkitHasWhatPeopleExpect(t *testing.T) {
	root := rootCommand(io.Discard, io.Discard)
	root.InitDefaultHelpCmd()
	count := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			visit(c)
		}
		if isGroup(cmd) {
			if cmd.Example == "" {
				t.Errorf("%s: the help has no example", cmd.CommandPath())
			}
			return
		}
		count++
		if cmd.Example == "" {
			t.Errorf("%s: the help has no example", cmd.CommandPath())
		}
		if cmd.Long == "" {
			t.Errorf("%s: the help has no description", cmd.CommandPath())
		}
		if cmd.Flags().Lookup("json") == nil {
			t.Errorf("%s: no --json", cmd.CommandPath())
		}
		_, arguments, takes := strings.Cut(cmd.Use, " ")
		if takes && cmd.Name() != "create" && cmd.ValidArgsFunction == nil {
			t.Errorf("%s: no completion of %s", cmd.CommandPath(), arguments)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			name, _ := pflag.UnquoteUsage(f)
			if _, completes := cmd.GetFlagCompletionFunc(f.Name); name == "NAME" && !completes && !free[f.Name] {
				t.Errorf("%s: no completion of --%s", cmd.CommandPath(), f.Name)
			}
		})
	}
	for _, cmd := range root.Commands() {
		if slices.Contains([]string{"km", "apis", "apps", "subscriptions", "clients", "token", "users", "roles", "call", "scopes", "up", "uninstall", "verify"}, cmd.Name()) {
			visit(cmd)
		}
	}
	if count < 40 {
		t.Errorf("only %d commands are checked", count)
	}
}

// free are flags whose names no server of these settings has: of a container, of a person's own choice, or of a user who logs in.
var free = map[string]bool{"is-container": true, "am-container": true, "given-name": true, "family-name": true, "user": true}
