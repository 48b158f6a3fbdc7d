package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/desired"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the desired state",
		Long: `schema prints the JSON Schema (draft 2020-12) of the file that API_CONFIG names. Editors complete and check the file
with it.`,
		Example: "  agent schema > api-config.schema.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := desired.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}
