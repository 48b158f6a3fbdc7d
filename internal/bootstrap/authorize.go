package bootstrap

import "context"

// authorizes tells whether applications get the scopes of APIs from IS by being authorized for them.
func (r *run) authorizes() bool { return r.Authorize && !r.SkipKeyManager }

// authorize authorizes all applications of API-M in IS for the scopes of all APIs. One that cannot be is an error only
// where it is the application of this run: the agent that keeps scopes looks after the others.
func (r *run) authorize(ctx context.Context) error {
	report, err := r.scopes.Poll(ctx, r.Scopes)
	r.result.Changes += report.Changes
	if err != nil {
		return err
	}
	for _, f := range report.Failures {
		if f.Application.ClientID == r.result.ConsumerKey && r.result.ConsumerKey != "" {
			return f.Err
		}
	}
	if err := report.Err(); err != nil {
		r.log.Warn("not every application has the scopes of APIs", "error", err)
	}
	if len(report.Missing) > 0 {
		r.log.Warn("IS has no such clients: correct SCOPES_CLIENTS", "clients", report.Missing)
	}
	return nil
}
