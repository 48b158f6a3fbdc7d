package bootstrap

import "context"

// authorizes reports whether the run authorizes applications in IS for the scopes of APIs.
func (r *run) authorizes() bool { return r.Authorize && !r.SkipKeyManager }

// authorize authorizes all applications of API-M in IS for the scopes of all APIs. A failure is an error only if it concerns the
// application of this run. The agent that keeps scopes tries the others again.
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
		r.log.Warn("IS lacks clients that SCOPES_CLIENTS names", "clients", report.Missing, "remedy", "correct SCOPES_CLIENTS")
	}
	return nil
}
