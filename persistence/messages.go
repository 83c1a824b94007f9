package persistence

import "hubd/mercure"

// Messages of the persistence actor. They do not change between being sent and being answered.
//
//	sender         message    receiver             answer
//	Store.Append   *request   persistence actor    an error or nil on done
//	Store.Err      *request   persistence actor    none; done is nil

// request asks for an event to be appended; without an event, for a try whether the log can append.
type request struct {
	event *mercure.Event
	// trial is set on what may reach the log although it has failed.
	trial bool
	// done has room for the answer, so that the actor never waits. It belongs to the request, which
	// goes back to its pool once the answer was read.
	done chan error
}
