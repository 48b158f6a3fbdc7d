package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/history"
	"wso2agent/internal/notify"
)

func historyCommand() *cobra.Command {
	var asJSON bool
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show what the agent next to the own server has done, and why",
		Long: `history shows the audit trail of the agent next to the own server: whom it has trusted, which certificate the server
switched to, and when and why the server restarted. It runs next to the agent, with its PRODUCT and CONFIG_DIR.

The trail is .agent/history.jsonl on the config volume. At 1 MiB the agent renames it to .agent/history.old.jsonl, and deletes the
previous .agent/history.old.jsonl.`,
		Example: `  agent history --since 24h
  agent history --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load("PRODUCT")
			if err != nil {
				return err
			}
			control := notify.ControlOf(cfg)
			if err := worked(control); err != nil {
				return err
			}
			events, err := history.Trail{Dir: control.Dir}.Read()
			if err != nil {
				return err
			}
			if since > 0 {
				begin := time.Now().Add(-since)
				for len(events) > 0 && events[0].At.Before(begin) {
					events = events[1:]
				}
			}
			if asJSON {
				lines := json.NewEncoder(cmd.OutOrStdout())
				for _, e := range events {
					if err := lines.Encode(e); err != nil {
						return err
					}
				}
				return nil
			}
			var rows [][]string
			for _, e := range events {
				rows = append(rows, []string{fmt.Sprint(e.Number), e.At.UTC().Format(time.RFC3339), string(e.What), subject(e), e.Because})
			}
			return table(cmd.OutOrStdout(), []string{"#", "AT", "WHAT", "WHICH", "WHY"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON for each event, with whole fingerprints")
	cmd.Flags().DurationVar(&since, "since", 0, "only the events of the last `TIME`, such as 24h")
	return cmd
}

// subject is what an event is about, with short fingerprints.
func subject(e history.Event) string {
	short := func(f string) string {
		digits := strings.ToLower(strings.ReplaceAll(f, ":", ""))
		return digits[:min(8, len(digits))]
	}
	var words []string
	for _, w := range []string{e.Alias, short(e.Fingerprint), e.Generation} {
		if w != "" {
			words = append(words, w)
		}
	}
	if e.What == history.Undone && e.Fingerprint == "" {
		words = append(words, "nothing")
	}
	if e.Was != "" {
		words = append(words, "in place of "+short(e.Was))
	}
	return strings.Join(words, " ")
}
