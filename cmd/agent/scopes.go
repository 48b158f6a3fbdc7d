package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

func scopesCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "scopes",
		Short: "Authorize API-M's applications in IS for the scopes of APIs, or show which are authorized",
		Long: `scopes authorizes API-M's applications in IS for the scopes of APIs, or shows which are authorized. It reaches IS
by IS_HOST, IS_PORT, IS_ADMIN_USER and IS_ADMIN_PASS, and runs anywhere.

status changes nothing, and exits with 2 if an application lacks a scope. sync exits with 1 if IS refuses an
application. Both exit with 4 if IS refuses the password, or has no client of an id in SCOPES_CLIENTS.`,
		Example: `  agent scopes status`,
	})
	cmd.AddCommand(scopesSyncCommand(), scopesStatusCommand())
	return cmd
}

// missingClients returns an error for clients that a person named and that IS does not have.
func missingClients(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return remedy.Add(bootstrap.Permanent(fmt.Errorf("IS has no client %s", strings.Join(ids, ", "))), "correct SCOPES_CLIENTS")
}

// byHand marks an error that stays until a person changes something, such as a refused password. If a server has not answered, it says what
// to check.
func byHand(err error) error {
	if wso2.IsPermanent(err) {
		return bootstrap.Permanent(err)
	}
	return actual.Reachable(err)
}

// existing adds a hint to an error that says that an object of the name exists (HTTP 409).
func existing(err error, format string, args ...any) error {
	if !wso2.HasStatus(err, http.StatusConflict) {
		return err
	}
	return remedy.Add(err, format, args...)
}

// writeJSON prints a value for programs. A person may look at it too, so no text of a server in it steers a terminal.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(plan.EscapeControls(b.Bytes()))
	return err
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
