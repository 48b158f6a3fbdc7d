package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/doctor"
	"wso2agent/internal/remedy"
)

// Reasons for exit code 1. If the time is up, the exit code is 3. The output has the details.
var (
	errTroubles   = errors.New("troubles found")
	errUnexamined = errors.New("not everything could be examined")
)

func doctorCommand() *cobra.Command {
	var d doctoring
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find known troubles of IS and API-M, with evidence and remedy; exit code 1 if there is one",
		Long: `doctor reads what both servers answer, the files of the server next to it, the exchange volume and the servers' log
files. It recognizes known troubles, and prints for each one the evidence and the remedy. It changes nothing.

With PRODUCT it examines the volumes of that server too. Without it, it runs anywhere. It finds the servers by AM_HOST,
AM_PORT, IS_HOST and IS_PORT. If it could not examine a server, it says so, and exits with 1.

With --fix it repairs what the agent can repair safely: it registers or corrects the key manager as apply does,
authorizes applications as scopes sync does, and does next to a server what the sidecar does. It shows first what it is
about to do, and asks.

Each diagnosis names the checks of agent verify that fail because of it. verify shows what does not work, and doctor why.`,
		Example: `  agent doctor --logs /var/log/wso2
  agent doctor --fix --yes                     # without a terminal
  agent doctor bundle support.tar.gz           # for support, without secrets`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return unknownCommand(cmd, args[0])
			case d.list:
				return listsOnly(cmd, "fix", "yes", "logs", "timeout")
			case d.yes && !d.fix:
				return usage(cmd, "--yes confirms what --fix is about to do: add --fix")
			case d.fix && d.asJSON:
				return usage(cmd, "--fix prints what it does, so use it without --json")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case d.list && d.asJSON:
				return writeJSON(cmd.OutOrStdout(), troublesForJSON())
			case d.list:
				return printTroubles(cmd.OutOrStdout())
			}
			return d.run(cmd)
		},
	}
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&d.list, "list", false, "list the known troubles, and examine nothing")
	cmd.Flags().BoolVar(&d.fix, "fix", false, "repair what the agent can repair")
	agree(cmd, &d.yes)
	d.flags(cmd)
	cmd.AddCommand(doctorBundleCommand())
	return cmd
}

// examination is what the flags of doctor and of its bundle have in common.
type examination struct {
	logs    []string
	timeout time.Duration
}

func (e *examination) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&e.logs, "logs", nil, "read the logs of the servers in `DIR` (wso2carbon.log), or one log; can be repeated")
	cmd.Flags().DurationVar(&e.timeout, "timeout", 2*time.Minute, "how long to read at most")
}

// reader returns what reads the facts. Close the connection of r.
func (e *examination) reader(stderr io.Writer) (*doctor.Reader, *reached, error) {
	r, err := reach(stderr)
	if err != nil {
		return nil, nil, err
	}
	settings, err := r.settings.Normalised()
	if err != nil {
		r.connection.Close()
		return nil, nil, err
	}
	reader := &doctor.Reader{Config: r.cfg, HTTP: r.HTTP, Settings: settings, Logs: e.logs}
	reader.Desired, _ = bootstrap.FilesOf(r.cfg).Desired() // without a file, nothing is compared with one
	return reader, r, nil
}

// read reads the facts, and returns them with the diagnoses.
func (e *examination) read(ctx context.Context, r *doctor.Reader) (doctor.Facts, []doctor.Diagnosis) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	facts := r.Read(ctx)
	return facts, doctor.Diagnose(facts)
}

// doctoring is what the flags of agent doctor say.
type doctoring struct {
	examination
	asJSON, list, fix, yes bool
}

func (d *doctoring) run(cmd *cobra.Command) error {
	ctx, stdout, stderr := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	reader, r, err := d.reader(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	facts, found := d.read(ctx, reader)
	if ctx.Err() != nil { // a person has stopped it
		return ctx.Err()
	}
	if d.asJSON {
		err = writeJSON(stdout, map[string]any{"product": facts.Settings.Product, "diagnoses": found, "unread": facts.Unread, "logs": facts.Logs.Files})
	} else {
		err = printDiagnoses(stdout, facts, found)
	}
	if fixes := doctor.Fixes(found); err == nil && d.fix && !facts.Late && len(fixes) > 0 {
		if err := d.repair(cmd, reader, r.log.With("run", r.connection.Run), fixes, found); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "\nafter the fixes:")
		facts, found = d.read(ctx, reader)
		err = printDiagnoses(stdout, facts, found)
	}
	switch {
	case err != nil:
		return err
	case facts.Late:
		return remedy.Add(fmt.Errorf("%w: --timeout is %s, and not everything is examined", context.DeadlineExceeded, d.timeout), "give it more time")
	case len(found) > 0:
		return fmt.Errorf("%w: %d", errTroubles, len(found))
	case len(facts.Unread) > 0:
		return fmt.Errorf("%w: %d parts", errUnexamined, len(facts.Unread))
	}
	return nil
}

// printDiagnoses prints each diagnosis with its evidence and its remedy, and what could not be examined.
func printDiagnoses(w io.Writer, f doctor.Facts, found []doctor.Diagnosis) error {
	var b strings.Builder
	fixable := 0
	for _, d := range found {
		fmt.Fprintf(&b, "%s (%s): %s\n", d.ID, d.Verdict, d.Name)
		for _, e := range d.Evidence {
			fmt.Fprintf(&b, "    evidence: %s\n", printable(e))
		}
		fmt.Fprintf(&b, "    remedy: %s\n", printable(d.Remedy))
		if len(d.Explains) > 0 {
			fmt.Fprintf(&b, "    in agent verify it fails: %s\n", strings.Join(d.Explains, ", "))
		}
		if d.Fix != doctor.ByHand {
			fixable++
		}
	}
	for _, u := range f.Unread {
		fmt.Fprintf(&b, "not examined: %s: %s\n", printable(u.What), printable(u.Why))
	}
	if f.Settings.Product == "" {
		b.WriteString("the files and settings of the servers are left out: PRODUCT is not set, so doctor runs next to no server\n")
	}
	if len(found)+len(f.Unread) == 0 {
		b.WriteString("agent verify shows more: it tries what depends on this, with --write also tokens and calls of APIs\n")
	}
	fmt.Fprintf(&b, "found: %d, of these agent doctor --fix repairs: %d, not examined: %d, logs read: %d\n", len(found), fixable, len(f.Unread), len(f.Logs.Files))
	_, err := io.WriteString(w, b.String())
	return err
}

// listsOnly refuses a flag of a command whose --list does nothing else.
func listsOnly(cmd *cobra.Command, others ...string) error {
	for _, name := range others {
		if cmd.Flags().Changed(name) {
			return usage(cmd, "--list does nothing else, so use it without --%s", name)
		}
	}
	return nil
}

// troublesForJSON returns the troubles that doctor knows, for programs.
func troublesForJSON() any {
	list := []map[string]any{}
	for _, t := range doctor.Troubles() {
		list = append(list, map[string]any{"id": t.ID, "name": t.Name, "symptom": t.Symptom, "remedy": t.Remedy, "fix": t.Fix, "explains": t.Explains})
	}
	return list
}

// printTroubles lists the troubles that doctor knows.
func printTroubles(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tFIX\tWHAT IS WRONG")
	for _, t := range doctor.Troubles() {
		fix := string(t.Fix)
		if t.Fix == doctor.ByHand {
			fix = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.ID, fix, t.Name)
	}
	return table.Flush()
}
