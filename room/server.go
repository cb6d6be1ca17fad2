package room

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

// Server runs rooms and is the http.Handler that their clients connect to, at {prefix}/{kind}/{room}. Mount it wherever
// you like: it looks at the last two elements of the path. Its methods may be called from any goroutine.
type Server struct {
	opts    Options
	log     *slog.Logger
	hooks   *observer
	kinds   map[string]*kind
	system  *actors.System
	gateway *conn.Gateway
	rooms   *registry
	starts  *buckets
	waits   waits

	store   store.Store
	own     store.Store // store, if the server made it
	lasting bool        // what is saved outlives the process
	lease   *lease
	saver   *saver
	waker   *waker
	unsaved atomic.Int64 // rooms that ended and could not be saved

	saving     context.Context // ends when the last saves are given up
	stopSaving context.CancelFunc

	base    context.Context // ends when rooms must stop at once
	cut     context.CancelFunc
	working sync.WaitGroup // work of Go and HandleAsync
	workers atomic.Int64   // how many
	spawned atomic.Uint64

	shutdown sync.Once
	stopped  error // what the first Shutdown came to
	closed   atomic.Bool
	killed   atomic.Bool
}

// NewServer makes a server for the kinds of rooms that the definitions describe. It fails if a definition is not
// complete: no contract, a call without a handler, two definitions of one kind, or a State or Data type that a snapshot
// could not keep (a chan, a func, an unexported field without `json:"-"`, an interface), naming the field; and if an
// option makes no sense.
func NewServer(opts *Options, defs ...AnyDefinition) (*Server, error) {
	s := &Server{kinds: make(map[string]*kind)}
	if opts != nil {
		s.opts = *opts
	}
	if len(defs) == 0 {
		return nil, errors.New("room: NewServer needs at least one Definition")
	}
	for _, d := range defs {
		k, err := d.erase()
		if err != nil {
			return nil, err
		}
		if s.kinds[k.name] != nil {
			return nil, fmt.Errorf("room: two definitions of kind %q; set Definition.Kind to tell them apart", k.name)
		}
		s.kinds[k.name] = k
	}
	if s.opts.Wire != wire.JSON && s.opts.Wire != wire.Msgpack {
		return nil, fmt.Errorf("room: Options.Wire is %d, neither wire.JSON nor wire.Msgpack", s.opts.Wire)
	}
	s.opts.LeaseTTL = orDefault(s.opts.LeaseTTL, defaultLeaseTTL)
	s.opts.CommitTimeout = orDefault(s.opts.CommitTimeout, defaultCommitTimeout)
	s.opts.MaxHeldBytes = orDefault(s.opts.MaxHeldBytes, defaultMaxHeldBytes)
	s.opts.MaxStateBytes = orDefault(s.opts.MaxStateBytes, defaultMaxStateBytes)
	s.opts.MaxAlarms = orDefault(s.opts.MaxAlarms, defaultMaxAlarms)
	if err := s.opts.check(); err != nil {
		return nil, err
	}
	if s.log = s.opts.Logger; s.log == nil {
		s.log = slog.Default()
	}
	s.hooks = &observer{Hooks: s.opts.Hooks, log: s.log}
	s.system = actors.NewSystem(&actors.Options{Logger: s.log})
	s.opts.Conn.Logger = s.log
	s.opts.Conn.Hooks = s.connHooks()
	gateway, err := conn.NewGateway(s.system, &s.opts.Conn)
	if err != nil {
		return nil, err
	}
	s.gateway = gateway
	s.rooms = newRegistry(orDefault(s.opts.MaxRooms, 100_000))
	s.starts = newBuckets(
		orRate(s.opts.RoomsPerSecond, 10), orDefault(s.opts.RoomBurst, 200),
		orRate(s.opts.AllRoomsPerSecond, 1000), orDefault(s.opts.AllRoomBurst, 10_000))
	s.base, s.cut = context.WithCancel(context.Background())
	s.saving, s.stopSaving = context.WithCancel(context.Background())
	s.keepRooms()
	return s, nil
}

// keepRooms sets up what has to do with the store.
func (s *Server) keepRooms() {
	ttl := s.opts.LeaseTTL
	if s.store, s.lasting = s.opts.Store, s.opts.Store != nil; !s.lasting {
		s.own = store.NewMemory()
		s.store, ttl = s.own, 0
		s.log.Info("socka: rooms keep their state in memory; it ends with the process")
	}
	for _, k := range s.kinds {
		if k.keepEmpty == 0 && !s.lasting {
			k.keepEmpty = defaultKeepEmpty
		}
	}
	me := s.opts.Owner
	if me.Addr == "" {
		host, _ := os.Hostname()
		me.Addr = host + ":" + strconv.Itoa(os.Getpid())
	}
	s.lease = &lease{
		store: s.store, me: me, ttl: ttl, log: s.log, busy: make(chan struct{}, 1),
		used: func() bool { return s.rooms.count() > 0 },
		back: func() {
			for _, e := range s.rooms.all() {
				s.system.Send(e.pid, leaseBack{})
			}
		},
	}
	s.saver = &saver{store: s.store, system: s.system, log: s.log, commitTimeout: s.opts.CommitTimeout}
	s.waker = newWaker(s.store, !s.lasting, s.log, s.wakeKey)
	s.saver.released = s.waker.sooner
	s.waker.start()
}

// connHooks reports what happens on connections as what happens in rooms.
func (s *Server) connHooks() conn.Hooks {
	return conn.Hooks{
		Malformed: func(c conn.Info, err error) {
			s.hooks.validationError(ValidationErrorEvent{ID: ID{c.Kind, c.Room}, Session: c.Session, Input: true, Err: err})
		},
		Closed: func(c conn.Info, e conn.CloseInfo) {
			s.hooks.close(CloseEvent{ID: ID{c.Kind, c.Room}, Session: c.Session, Code: e.Code, Reason: e.Reason, ByPeer: e.ByPeer, Err: e.Err})
		},
	}
}

// ServeHTTP takes a WebSocket upgrade to {prefix}/{kind}/{room}. What it refuses it answers as text: 404 unknown kind,
// 400 bad room name or parameter, 405 not a GET, 426 not a WebSocket upgrade, 403 foreign origin, 429 too many connections or new
// rooms from one address, 503 full or shutting down, else the status of the error of Authenticate or MayCreate.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r); err != nil {
		status, message := statusOf(err)
		var refusal *conn.Refusal
		if errors.As(err, &refusal) {
			maps.Copy(w.Header(), refusal.Header)
		}
		if coded, ok := asCoded(err); ok && coded.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(coded.RetryAfter.Seconds()))))
		}
		http.Error(w, message, status)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	id, ok := idOf(r)
	k := s.kinds[id.Kind]
	if !ok || k == nil {
		return &conn.Refusal{Status: http.StatusNotFound, Message: fmt.Sprintf("no such kind of room: %q; the path is {prefix}/{kind}/{room}", id.Kind)}
	}
	if err := ValidName(id.Name); err != nil {
		return &conn.Refusal{Status: http.StatusBadRequest, Message: err.Error()}
	}
	r, format, sid, err := s.readQuery(r)
	if err != nil {
		return err
	}
	admission, err := s.gateway.Admit(r)
	if err != nil {
		return err
	}
	defer admission.Release()
	ctx, cancel := context.WithDeadline(r.Context(), admission.Deadline())
	defer cancel()
	r = r.WithContext(ctx)
	in, err := s.authenticate(k, r, id, sid)
	if err != nil {
		return err
	}
	e, err := s.enter(k, r, id, admission.Addr(), &in)
	if err != nil {
		return err
	}
	err = admission.Upgrade(w, r, conn.Session{ID: newSessionID(), Kind: id.Kind, Room: id.Name, Format: format, To: e.pid, Data: in})
	if err != nil {
		s.rooms.arrived(e) // no Attach will come
		s.system.Send(e.pid, settle{})
		var refusal *conn.Refusal
		if errors.As(err, &refusal) {
			return err
		}
		s.log.Debug("socka: upgrade failed", "room", id, "error", err)
	}
	return nil // the socket is no longer the HTTP server's
}

// entrant is what the hooks before the upgrade have said of a session, on its way to its room.
type entrant struct {
	data      any
	create    bool   // the room may be made for it; the one that it was let into may have ended meanwhile
	key       []byte // hash of its resume key, nil without one
	principal []byte // hash of whose session it is, if it has a key
}

// authenticate runs the hooks that say who comes.
func (s *Server) authenticate(k *kind, r *http.Request, id ID, sid string) (in entrant, err error) {
	err = guardHook("Authenticate", func() (err error) {
		in.data, err = k.authenticate(r, id)
		return err
	})
	if err != nil {
		return in, s.denied(id, "Authenticate", err)
	}
	if sid == "" || k.resumeFor < 0 {
		return in, nil
	}
	in.key = keyHash(id, sid)
	err = guardHook("Principal", func() (err error) {
		in.principal, err = k.principal(in.data)
		return err
	})
	if err != nil {
		return in, s.denied(id, "Principal", err)
	}
	return in, nil
}

// enter finds the room that a session wants into, and has it read its snapshot, so that what is wrong with it is said before
// the upgrade: a message for it counts as on its way. Whether a room may be made is MayCreate's to say.
func (s *Server) enter(k *kind, r *http.Request, id ID, addr netip.Addr, in *entrant) (*entry, error) {
	if !s.rooms.runs(id) {
		if wait := s.starts.take(addr, time.Now()); wait > 0 {
			return nil, contract.Errorf(contract.RateLimited, "too many rooms that do not run; try again later").WithRetryAfter(wait)
		}
	}
	e, err := s.acquire(id, true)
	if err != nil {
		return nil, err
	}
	exists := e.active.Load() && s.saver.trouble() == nil // else the room says whether it lets anybody in
	if !exists {
		exists, err = s.prepare(r.Context(), id)
	}
	in.create = k.mayCreate == nil
	if err == nil && !exists && !in.create {
		in.create = true
		if err = guardHook("MayCreate", func() error { return k.mayCreate(r, id, in.data) }); err != nil {
			err = s.denied(id, "MayCreate", err)
		}
	}
	if err != nil {
		s.rooms.arrived(e) // no Attach will come
		s.system.Send(e.pid, settle{})
		return nil, err
	}
	return e, nil
}

// prepare has a room wake from its snapshot, and says whether there is one.
func (s *Server) prepare(ctx context.Context, id ID) (exists bool, err error) {
	e, err := s.acquire(id, true)
	if err != nil {
		return false, err
	}
	type answer struct {
		exists bool
		err    error
	}
	done := make(chan answer, 1)
	s.system.Send(e.pid, &visit{
		run: func(r *room) {
			exists, err := r.exists(nil)
			switch {
			case r.active && r.stalled():
				err = r.unavailable()
			case err == nil && exists:
				err = r.open(nil)
			}
			done <- answer{exists, err}
		},
		now:  true,
		lost: func() { done <- answer{err: contract.Errorf(contract.Unavailable, "room %s failed; try again", id)} },
	})
	select {
	case a := <-done:
		return a.exists, a.err
	case <-ctx.Done():
		return false, contract.Errorf(contract.Unavailable, "room %s is busy; try again", id).WithRetryAfter(time.Second)
	}
}

// guardHook turns a panic of a hook that runs on the HTTP server's goroutine into an error. http.ErrAbortHandler goes
// through: the hook means it for the HTTP server.
func guardHook(name string, f func() error) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = newPanicError(name, v)
		}
	}()
	return f()
}

// denied reports an error without a code, and hides it.
func (s *Server) denied(id ID, name string, err error) error {
	if _, coded := asCoded(err); coded {
		return err
	}
	s.hooks.handlerError(HandlerErrorEvent{ID: id, Name: name, Err: err})
	if _, panicked := err.(*PanicError); panicked {
		return err // 500, without its text
	}
	if s.opts.ExposeErrors {
		return &conn.Refusal{Status: http.StatusForbidden, Message: textOf(err)}
	}
	return &conn.Refusal{Status: http.StatusForbidden, Message: "forbidden"}
}

func statusOf(err error) (status int, message string) {
	var refusal *conn.Refusal
	if errors.As(err, &refusal) {
		return refusal.Status, refusal.Message
	}
	if coded, ok := asCoded(err); ok {
		return coded.Code.HTTPStatus(), coded.Message
	}
	return http.StatusInternalServerError, redacted
}

// readQuery reads what the library itself takes from the URL, and gives the request without the resume key (sid), a
// secret that hooks must not see.
func (s *Server) readQuery(r *http.Request) (_ *http.Request, format wire.Format, sid string, err error) {
	format = s.opts.Wire
	if r.URL.RawQuery == "" {
		return r, format, "", nil
	}
	query := r.URL.Query()
	if name := query.Get("wire"); name != "" {
		if format, err = wire.ParseFormat(name); err != nil {
			return nil, 0, "", &conn.Refusal{Status: http.StatusBadRequest, Message: fmt.Sprintf("wire=%q: want json or msgpack", name)}
		}
	}
	if query.Has("sid") {
		sid = query.Get("sid")
		if err := resumeKey(sid); err != nil {
			return nil, 0, "", err
		}
		query.Del("sid")
		url := *r.URL
		url.RawQuery = query.Encode()
		r = r.WithContext(r.Context())
		r.URL, r.RequestURI = &url, url.RequestURI()
	}
	return r, format, sid, nil
}

// acquire finds or starts a room; see registry.
func (s *Server) acquire(id ID, create bool) (*entry, error) {
	if !create {
		return s.rooms.acquire(id, nil)
	}
	if s.kinds[id.Kind] == nil {
		return nil, contract.Errorf(contract.NotFound, "there is no kind of room %q", id.Kind)
	}
	if err := ValidName(id.Name); err != nil {
		return nil, contract.Errorf(contract.InvalidInput, "room %q: %w", id.Name, err)
	}
	return s.rooms.acquire(id, func(e *entry) (*actors.PID, error) {
		r := &room{server: s, kind: s.kinds[id.Kind], id: id, ref: e, alone: []string{id.String()}}
		pid, err := s.system.Spawn("room/"+id.String()+"#"+strconv.FormatUint(s.spawned.Add(1), 36), r)
		r.self = pid // nobody knows the PID yet, so no message can have come
		return pid, err
	})
}

// newSessionID makes a public session id: 128 random bits, base64url.
func newSessionID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
