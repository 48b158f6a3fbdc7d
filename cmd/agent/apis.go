package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func apisCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "apis",
		Short: "Show, deploy and delete APIs of API-M, and move them through their lifecycle",
		Long: `apis works on one API of API-M at a time. API is its name, or NAME:VERSION if it has several versions. It reaches
API-M by its settings, and runs anywhere.`,
		Example: `  agent apis list
  agent apis show Orders:1.0.0
  agent apis lifecycle Orders:1.0.0 blocked`,
	})
	cmd.AddCommand(apisListCommand(), apisShowCommand(), apisDeployCommand(), apisLifecycleCommand(), apisDeleteCommand())
	return cmd
}

// apiNames lists the APIs of API-M: by name, and with the version if a name has several.
func apiNames(ctx context.Context, r *reached, _ []string) (names []string, err error) {
	list, err := r.Publisher.APIs(ctx)
	versions := map[string]int{}
	for _, a := range list {
		versions[a.Name]++
	}
	for _, a := range list {
		if versions[a.Name] == 1 {
			names = append(names, a.Name)
		}
		names = append(names, objects.APIName(a))
	}
	return names, err
}
