package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/up"
	"wso2agent/internal/wso2"
)

// What the commands of the toolkit have in common. Each works on one kind of object on the servers.

// errDeclined says that a person has not agreed to a change.
var errDeclined = errors.New("not confirmed, so nothing is changed")

// confirm asks a person on stderr whether to make a change, and returns nil for y or yes, and [errDeclined] for any other answer. With yes
// (the flag --yes) it asks nothing. Where nobody can answer, --yes is needed.
func confirm(cmd *cobra.Command, question string, yes bool) error {
	if yes {
		return nil
	}
	err := ask(cmd, question)
	if errors.Is(err, up.ErrNobody) {
		return usageError{remedy.Add(fmt.Errorf("%s asks %q, and %w", cmd.CommandPath(), question, err), "add --yes to agree")}
	}
	return err
}

// ask is confirm without the flag. [up.ErrNobody] says that there is no terminal, or no line on it.
func ask(cmd *cobra.Command, question string) error {
	if _, ok := terminal(cmd); !ok {
		return up.ErrNobody
	}
	if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	switch answer = strings.ToLower(strings.TrimSpace(answer)); {
	case answer == "y" || answer == "yes":
		return nil
	case errors.Is(err, io.EOF):
		fmt.Fprintln(cmd.ErrOrStderr())
		return up.ErrNobody
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	}
	return errDeclined
}

// agree adds the flag that agrees to a change in advance.
func agree(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "do not ask; needed where there is no terminal")
}

// optional accepts one argument, or none.
func optional(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage(cmd, "too many arguments: it takes %s at most", name)
		}
		return nil
	}
}

// table prints rows in columns below a header. It prints an empty cell as "-", and quotes what would steer a terminal.
func table(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = cellOf(cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// details prints one object: a line for each pair of a label and a value. It leaves out empty values.
func details(w io.Writer, pairs [][2]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p[1] != "" {
			fmt.Fprintf(t, "%s:\t%s\n", p[0], cellOf(p[1]))
		}
	}
	return t.Flush()
}

func cellOf(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// escapedLines returns a text of several lines without characters that a terminal acts on, except tabs and ends of lines.
func escapedLines(text string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		if r == '\n' || r == '\t' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(plan.Escaped(string(r)))
	}
	return b.String()
}

// yesNo returns a switch for a table.
func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

// masked returns a secret for an output: the secret itself only if a person has asked for it by --show-secrets. An empty secret stays
// empty, so that an output shows whether there is one.
func masked(secret wso2.Secret, show bool) string {
	if show || secret == "" {
		return string(secret)
	}
	return secret.String()
}

// namesTimeout is how long the completion of a name may take. A shell waits for it.
const namesTimeout = 2 * time.Second

// lister reads the names that an argument may have. args are the arguments before it.
type lister func(ctx context.Context, r *reached, args []string) ([]string, error)

// completed returns a completion that asks the servers for names: the first lister for the first argument, and so on. It offers nothing
// if anything fails, prints nothing, and never asks.
func completed(listers ...lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(listers) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return namesFor(cmd.Context(), listers[len(args)], args, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes the value of a flag as completed does.
func completeFlag(cmd *cobra.Command, flag string, list lister) {
	// The error is that of a flag that does not exist.
	cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return namesFor(cmd.Context(), list, args, begun), cobra.ShellCompDirectiveNoFileComp
	})
}

// namesFor returns the names of a lister that begin as a person has typed; none if anything fails.
func namesFor(ctx context.Context, list lister, args []string, begun string) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	r, err := reach(io.Discard)
	if err != nil {
		return nil
	}
	defer r.connection.Close()
	all, err := list(ctx, r, args)
	if err != nil {
		return nil
	}
	for _, name := range all {
		// A shell takes a line for a name, and what follows a tab for a description. It prints what begins with this mark of cobra as a
		// message to the person. Other control characters would steer the terminal.
		if strings.HasPrefix(name, begun) && !strings.HasPrefix(name, "_activeHelp_") && printable(name) == name {
			names = append(names, name)
		}
	}
	return names
}

// arguments refuses more or fewer arguments than names has, and an empty one. It does not repeat them, because one of them may be a
// password.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) || args[i] == "" {
				return usage(cmd, "%s is missing", name)
			}
		}
		if len(args) > len(names) {
			return usage(cmd, "too many arguments: it takes %s", strings.Join(names, " "))
		}
		return nil
	}
}
