package wso2sim

import (
	"math/rand/v2"
	"time"
)

// Span is a time that differs from one occasion to the next. The zero value is no time at all.
type Span struct{ Min, Max time.Duration }

// pick chooses a time between the bounds, both included.
func (s Span) pick() time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + rand.N(s.Max-s.Min+1)
}

func (s Span) scale(f float64) Span { return Span{scale(s.Min, f), scale(s.Max, f)} }

func scale(d time.Duration, f float64) time.Duration { return time.Duration(float64(d) * f) }

// Delays says how long the servers take. The zero value is a server that takes no time for anything; the order in
// which things come up holds all the same.
type Delays struct {
	// Identity Server, from its start until its port stops refusing, and from the signal to stop until it is gone.
	ISBoot, ISStop Span

	// From ServerAdmin's yes to a restart until each server stops serving, and from then until its process has ended.
	ISRestart, AMRestart Span
	Exit                 time.Duration

	// API Manager, each from its start. They come in this order.
	AMPorts   time.Duration // the gateway's port and the management port open, with 404 for everything
	AMVersion time.Duration // /services/Version answers, which proves Axis2 alone
	AMHealth  time.Duration // the health check answers, with 500
	AMPortal  time.Duration // /publisher answers, and a first REST call begins to hang
	AMREST    time.Duration // REST APIs and client registration answer, and so do the calls that hung
	AMReady   time.Duration // the gateway has its APIs, and the health check is 200
	AMStop    Span          // from the signal to stop until the process is gone

	Index      Span          // from a change of an API until lists and searches show it
	KeyManager Span          // from registering a key manager until it is loaded
	LostEvent  time.Duration // how long a key manager that cannot be loaded swallows the events of others
	Enable     Span          // from enabling a key manager until its tokens are accepted again
	Disable    Span          // from disabling one until they are refused
	EventWait  float64       // the gateway's wait before each deployment, as a part of event_waiting_time in deployment.toml
	Deploy     Span          // from the end of that wait until the gateway has the revision; it takes up one after another
	Client     Span          // from a new key or subscription until the gateway knows it
	Revocation Span          // from a revocation notice until the gateway refuses the token
	DevicePoll time.Duration // between two requests of a device for its token, else it shall slow down
	Racing     time.Duration // between the look for a key manager of the same name and the writing of a new one

	Latency time.Duration // of each request, on its way
	Cost    float64       // of each request, as a part of what it costs a real server; a server works on two requests at a time
}

// RealDelays are those of servers on two cores.
func RealDelays() Delays {
	const ms, s = time.Millisecond, time.Second
	return Delays{
		ISBoot: Span{50 * s, 68 * s}, ISStop: Span{1300 * ms, 2400 * ms},
		ISRestart: Span{3300 * ms, 3300 * ms}, AMRestart: Span{12 * s, 12 * s}, Exit: 700 * ms,
		AMPorts: 30 * s, AMVersion: 40 * s, AMHealth: 50 * s, AMPortal: 58 * s, AMREST: 66 * s, AMReady: 80 * s,
		AMStop: Span{15 * s, 15 * s},
		Index:  Span{1300 * ms, 2700 * ms}, KeyManager: Span{600 * ms, 2500 * ms}, LostEvent: 1500 * ms,
		Enable: Span{1300 * ms, 1300 * ms}, Disable: Span{1 * s, 3 * s}, EventWait: 1, Deploy: Span{100 * ms, 200 * ms},
		Client: Span{100 * ms, 700 * ms}, Revocation: Span{700 * ms, 1100 * ms},
		DevicePoll: 5 * s, Racing: 50 * ms,
	}
}

// Scale multiplies every delay by f, which must not be negative: 0.1 is ten times as fast.
func (d Delays) Scale(f float64) Delays {
	return Delays{
		ISBoot: d.ISBoot.scale(f), ISStop: d.ISStop.scale(f),
		ISRestart: d.ISRestart.scale(f), AMRestart: d.AMRestart.scale(f), Exit: scale(d.Exit, f),
		AMPorts: scale(d.AMPorts, f), AMVersion: scale(d.AMVersion, f), AMHealth: scale(d.AMHealth, f),
		AMPortal: scale(d.AMPortal, f), AMREST: scale(d.AMREST, f), AMReady: scale(d.AMReady, f), AMStop: d.AMStop.scale(f),
		Index: d.Index.scale(f), KeyManager: d.KeyManager.scale(f), LostEvent: scale(d.LostEvent, f),
		Enable: d.Enable.scale(f), Disable: d.Disable.scale(f), EventWait: d.EventWait * f, Deploy: d.Deploy.scale(f),
		Client: d.Client.scale(f), Revocation: d.Revocation.scale(f),
		DevicePoll: scale(d.DevicePoll, f), Racing: scale(d.Racing, f), Latency: scale(d.Latency, f), Cost: d.Cost * f,
	}
}

// later adds a time to the boot of both servers.
func (d Delays) later(by time.Duration) Delays {
	d.ISBoot.Min, d.ISBoot.Max = d.ISBoot.Min+by, d.ISBoot.Max+by
	for _, step := range []*time.Duration{&d.AMPorts, &d.AMVersion, &d.AMHealth, &d.AMPortal, &d.AMREST, &d.AMReady} {
		*step += by
	}
	return d
}
