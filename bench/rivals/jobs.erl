%% Jobs on worker nodes of Erlang, 1,000 on their way: erl -noshell -sname bench -s jobs main noop|trip|in|out COUNT
%% Prints the seconds; results are checked.
-module(jobs).
-export([main/1, work/0]).

-define(WINDOW, 1000).
-define(BYTES, 8000000).

work() ->
    receive
        {From, noop, I} -> From ! {self(), I, I};
        {From, trip, I} -> From ! {self(), I, I};
        {From, in, I, Binary} -> From ! {self(), I, total(Binary, 0)};
        {From, out, I} -> From ! {self(), I, binary:copy(<<I:64/little>>, ?BYTES div 8)}
    end,
    work().

total(<<X:64/little, Rest/binary>>, Sum) -> total(Rest, Sum + X);
total(<<>>, Sum) -> Sum.

main([Mode, Number]) ->
    Count = list_to_integer(atom_to_list(Number)),
    Workers = [worker(N) || N <- lists:seq(1, if Mode =:= trip -> 1; true -> 2 end)],
    Rest = binary:copy(<<1:64/little>>, ?BYTES div 8 - 1),
    Window = if Mode =:= noop -> ?WINDOW; Mode =:= trip -> 1; true -> 2 end,
    Start = erlang:monotonic_time(),
    First = min(Window, Count),
    [send(Mode, lists:nth(I rem length(Workers) + 1, Workers), I, Rest) || I <- lists:seq(0, First - 1)],
    Sum = collect(Mode, First, Count, Count, Rest, 0),
    Seconds = erlang:convert_time_unit(erlang:monotonic_time() - Start, native, nanosecond) / 1.0e9,
    Sum = Count * (Count - 1) div 2,
    io:format("~.9f~n", [Seconds]),
    init:stop().

worker(N) ->
    {ok, _, Node} = peer:start_link(#{name => "bench" ++ os:getpid() ++ "w" ++ integer_to_list(N)}),
    {?MODULE, Binary, File} = code:get_object_code(?MODULE),
    {module, ?MODULE} = rpc:call(Node, code, load_binary, [?MODULE, File, Binary]),
    spawn(Node, ?MODULE, work, []).

send(in, Worker, I, Rest) -> Worker ! {self(), in, I, <<I:64/little, Rest/binary>>};
send(Mode, Worker, I, _) -> Worker ! {self(), Mode, I}.

collect(_, _, _, 0, _, Sum) -> Sum;
collect(Mode, Next, Count, Left, Rest, Sum) ->
    receive
        {Worker, I, Result} ->
            check(Mode, I, Result),
            if Next < Count -> send(Mode, Worker, Next, Rest); true -> none end,
            collect(Mode, Next + 1, Count, Left - 1, Rest, Sum + I)
    end.

check(in, I, Result) -> Result = I + ?BYTES div 8 - 1;
check(out, I, Result) -> I = binary:decode_unsigned(binary:part(Result, ?BYTES - 8, 8), little), ?BYTES = byte_size(Result);
check(_, I, Result) -> I = Result.
