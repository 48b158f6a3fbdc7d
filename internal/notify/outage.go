package notify

import "time"

// Outage is a time in which the server did not serve, by the supervisor's statements.
type Outage struct {
	From, To time.Time
	Planned  bool // this agent had requested a restart
}

// Outages follows the server from one look at it to the next. The zero value stands for no look.
type Outages struct {
	now    Outage // that goes on; its From is zero while there is none
	served Started
}

// See notes the supervisor's current statement, and returns the outage that has ended since the last look. requested says
// that this agent has requested a restart. The first start of a server after its container's start is no outage: nobody knows
// when the container before it stopped.
func (o *Outages) See(started Started, requested bool, now time.Time) (ended Outage, ok bool) {
	switch started.Serves {
	case ServesNot:
		if !o.now.From.IsZero() || !o.served.IsProcess() && started.Starts < 2 {
			return Outage{}, false
		}
		o.now = Outage{From: now, Planned: requested}
		if !o.served.IsProcess() {
			o.now.From = started.Since
		}
		return Outage{}, false
	case ServesNow:
		ended, ok = o.now, !o.now.From.IsZero()
		if missed := o.served.IsProcess() && !o.served.Since.Equal(started.Since); !ok && missed {
			ended, ok = Outage{From: started.Since, Planned: requested}, true
		}
		ended.To = now
		*o = Outages{served: started}
		return ended, ok
	}
	*o = Outages{} // the supervisor does not say whether the server serves
	return Outage{}, false
}
