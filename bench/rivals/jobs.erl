%% Jobs on worker nodes of Erlang, 1,000 on their way: erl -noshell -sname bench -s jobs main noop|trip|in|out COUNT, or
%% grain|loop COUNT STEPS. Prints the seconds; results are checked. `grain` computes so many steps in each job, `loop` the same without
%% jobs; both print the sum of the results too.
-module(jobs).
-export([main/1, work/0]).

-define(WINDOW, 1000).
-define(BYTES, 8000000).

work() ->
    receive
        {From, noop, I} -> From ! {self(), I, I};
        {From, trip, I} -> From ! {self(), I, I};
        {From, grain, I, Steps} -> From ! {self(), I, spin(I, Steps)};
        {From, in, I, Binary} -> From ! {self(), I, total(Binary, 0)};
        {From, out, I} -> From ! {self(), I, binary:copy(<<I:64/little>>, ?BYTES div 8)}
    end,
    work().

total(<<X:64/little, Rest/binary>>, Sum) -> total(Rest, Sum + X);
total(<<>>, Sum) -> Sum.

spin(X, 0) -> X;
spin(X, Steps) -> spin((X * 1664525 + 1013904223) band 16#ffffffff, Steps - 1).

main([loop, Number, Number2]) ->
    {Count, Steps} = {list_to_integer(atom_to_list(Number)), list_to_integer(atom_to_list(Number2))},
    Start = erlang:monotonic_time(),
    Sum = lists:sum([spin(I, Steps) || I <- lists:seq(0, Count - 1)]),
    told(Start, Sum);
main([Mode, Number | Words]) ->
    Count = list_to_integer(atom_to_list(Number)),
    Workers = [worker(N) || N <- lists:seq(1, if Mode =:= trip -> 1; true -> 2 end)],
    Rest = case Words of
        [Steps] -> list_to_integer(atom_to_list(Steps));
        [] -> binary:copy(<<1:64/little>>, ?BYTES div 8 - 1)
    end,
    Window = if Mode =:= noop; Mode =:= grain -> ?WINDOW; Mode =:= trip -> 1; true -> 2 end,
    Start = erlang:monotonic_time(),
    First = min(Window, Count),
    [send(Mode, lists:nth(I rem length(Workers) + 1, Workers), I, Rest) || I <- lists:seq(0, First - 1)],
    Sum = collect(Mode, First, Count, Count, Rest, 0),
    true = Mode =:= grain orelse Sum =:= Count * (Count - 1) div 2,
    told(Start, Sum).

told(Start, Sum) ->
    Seconds = erlang:convert_time_unit(erlang:monotonic_time() - Start, native, nanosecond) / 1.0e9,
    io:format("~.9f ~b~n", [Seconds, Sum]),
    init:stop().

worker(N) ->
    {ok, _, Node} = peer:start_link(#{name => "bench" ++ os:getpid() ++ "w" ++ integer_to_list(N)}),
    {?MODULE, Binary, File} = code:get_object_code(?MODULE),
    {module, ?MODULE} = rpc:call(Node, code, load_binary, [?MODULE, File, Binary]),
    spawn(Node, ?MODULE, work, []).

send(in, Worker, I, Rest) -> Worker ! {self(), in, I, <<I:64/little, Rest/binary>>};
send(grain, Worker, I, Steps) -> Worker ! {self(), grain, I, Steps};
send(Mode, Worker, I, _) -> Worker ! {self(), Mode, I}.

collect(_, _, _, 0, _, Sum) -> Sum;
collect(Mode, Next, Count, Left, Rest, Sum) ->
    receive
        {Worker, I, Result} ->
            check(Mode, I, Result),
            if Next < Count -> send(Mode, Worker, Next, Rest); true -> none end,
            collect(Mode, Next + 1, Count, Left - 1, Rest, Sum + if Mode =:= grain -> Result; true -> I end)
    end.

check(in, I, Result) -> Result = I + ?BYTES div 8 - 1;
check(out, I, Result) -> I = binary:decode_unsigned(binary:part(Result, ?BYTES - 8, 8), little), ?BYTES = byte_size(Result);
check(grain, _, _) -> ok;
check(_, I, Result) -> I = Result.
