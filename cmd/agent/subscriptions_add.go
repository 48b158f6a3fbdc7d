package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func subscriptionsAddCommand() *cobra.Command {
	var policy string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "add APP API",
		Short: "Subscribe an application to an API",
		Long: `add subscribes an application to an API that is published or a prototype. Without --policy it takes Unlimited if the API
offers it, or the only policy that the API offers. A subscription that exists stays as it is.`,
		Example: `  agent subscriptions add Shop Orders:1.0.0
  agent subscriptions add Shop Orders:1.0.0 --policy Gold`,
		Args:              arguments("APP", "API"),
		ValidArgsFunction: completed(applicationNames, apiNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return addSubscription(cmd, args[0], args[1], policy, asJSON)
		},
	}
	cmd.Flags().StringVar(&policy, "policy", "", "the subscription policy with this `NAME`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	completeFlag(cmd, "policy", func(ctx context.Context, r *reached, _ []string) ([]string, error) {
		return r.Publisher.SubscriptionPolicies(ctx)
	})
	return cmd
}

func addSubscription(cmd *cobra.Command, app, api, policy string, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var sub objects.Subscription
	var added bool
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		sub, added, err = objects.Subscribe(ctx, r.single(), app, api, policy)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), struct {
			objects.Subscription
			Added bool `json:"added"`
		}{sub, added})
	}
	state := "subscribed"
	switch {
	case !added:
		state = "subscribed already"
	case sub.Status != "UNBLOCKED":
		state = "the subscription is " + sub.Status
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "application %s to API %s:%s: %s, with the policy %s\n", printable(sub.Application), printable(sub.API), printable(sub.Version), state, printable(sub.Policy))
	return err
}
