package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
)

func validateCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [FILE...]",
		Short: "Check the desired state without a server; exit code 4 if it has mistakes",
		Long: `validate reads the desired state, and prints all mistakes in it. A FILE may be a folder: then its files *.yaml and
*.yml count. Several files count as one. Without FILE it reads what API_CONFIG names.

It asks no server. It reads the variables and files that the desired state names. It does not read definitions at addresses.`,
		Example: `  agent validate api-config.yaml
  agent validate --json apis/ applications.yaml    # a list of file, line, column, message and hint`,
		RunE: func(cmd *cobra.Command, args []string) error { return validate(args, asJSON, cmd.OutOrStdout()) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// yamlFiles completes arguments that are files of a desired state.
func yamlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// mistake is a mistake in the output of validate.
type mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// validate prints what is wrong with the desired state. Its error wraps [bootstrap.ErrPermanent] if anything is.
func validate(paths []string, asJSON bool, stdout io.Writer) error {
	if len(paths) == 0 {
		cfg, err := config.Load()
		if err != nil {
			return err
		}
		paths = []string{cfg.Bootstrap.File}
	}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), paths...)
	var problems desired.Problems
	if err != nil && !errors.As(err, &problems) {
		return unreadable(err, asJSON, stdout)
	}
	if f != nil { // else no file is YAML
		problems = f.Sorted(append(problems, actual.CheckDefinitions(f)...))
	}
	if asJSON {
		err = printMistakes(stdout, problems)
	} else {
		err = printProblems(stdout, problems)
	}
	switch {
	case err != nil:
		return err
	case len(problems) > 0:
		return mistakes(problems)
	case !asJSON:
		_, err = fmt.Fprintf(stdout, "no mistakes, APIs: %d, subscriptions: %d\n", len(f.APIs.Value), subscriptionsIn(f))
	}
	return err
}

// subscriptionsIn returns the number of subscriptions that a desired state names.
func subscriptionsIn(f *desired.File) (n int) {
	for _, app := range f.Applications.Value {
		n += len(app.Value.Subscriptions.Value)
	}
	return n
}

// mistakes returns the error for mistakes that are printed.
func mistakes(problems desired.Problems) error {
	return remedy.Add(bootstrap.Permanent(fmt.Errorf("mistakes in the desired state: %d", len(problems))), "correct the file")
}

// unreadable returns the error for a file that cannot be read. For programs it prints the file as a mistake that has no line.
func unreadable(err error, asJSON bool, stdout io.Writer) error {
	hint := "name a file that is there, or set API_CONFIG"
	if errors.Is(err, fs.ErrPermission) {
		hint = "let the user of this process read it"
	}
	var failed *desired.FileError
	if asJSON && errors.As(err, &failed) {
		if err := writeJSON(stdout, []mistake{{File: failed.Path, Message: err.Error(), Hint: hint}}); err != nil {
			return err
		}
	}
	return remedy.Add(bootstrap.Permanent(fmt.Errorf("read the desired state: %w", err)), "%s", hint)
}

// printProblems prints mistakes for people.
func printProblems(w io.Writer, problems desired.Problems) error {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
		for line := range strings.Lines(p.Excerpt) {
			fmt.Fprintf(&b, "    %s\n", strings.TrimRight(line, "\n"))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printMistakes prints mistakes for programs.
func printMistakes(w io.Writer, problems desired.Problems) error {
	list := []mistake{}
	for _, p := range problems {
		list = append(list, mistake{p.At.File, p.At.Line, p.At.Column, p.Message, p.Hint})
	}
	return writeJSON(w, list)
}
