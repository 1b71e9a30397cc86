/**
 * The program that writes a shim container's output as CRI log lines: perl-base is on every Debian, and it outlives the
 * host at a few MB. It is handed over as an argument, so that no file has to be found beside a bundled caisson.
 */
export const LOGGER_SCRIPT: string = String.raw`# Writes a container's output to a log in CRI format (the one that conmon calls k8s-file).
#
#   cri-logger.pl LOG DRAINED STDOUT_FIFO [STDERR_FIFO]
#
# The FIFOs are open when this process says "ready" and exits; a forked one then logs until both have
# ended, makes the file DRAINED and exits. It needs nothing but Perl's core, so that it runs where only
# Debian's essential packages are.
use strict;
use warnings;

my ($log_path, $drained, @fifos) = @ARGV;
die "usage: cri-logger.pl LOG DRAINED STDOUT_FIFO [STDERR_FIFO]\n" unless @fifos;

use constant { RDONLY => 0, WRONLY => 1, CREAT => 0100, APPEND => 02000, NONBLOCK => 04000, EINTR => 4, EAGAIN => 11 };
use constant { READ_BYTES => 65536, LINE_BYTES => 8192 };

# clock_gettime(2) by its number: Time::HiRes is not among Debian's essential packages.
use Config;
my ($gettime) = map { $Config{archname} =~ /^x86_64-/ ? 228 : $Config{archname} =~ /^(?:aarch64|riscv64)-/ ? 113 : undef } 1;
my $precise = !defined $gettime && eval { require Time::HiRes; 1 };
umask 077;
sysopen(my $log, $log_path, WRONLY | CREAT | APPEND, 0600) or die "open $log_path: $!\n";

# Not blocking: nobody writes yet, and the one who will must find a reader.
my %streams;
for my $i (0 .. $#fifos) {
    sysopen(my $fifo, $fifos[$i], RDONLY | NONBLOCK) or die "open $fifos[$i]: $!\n";
    $streams{ fileno $fifo } = { handle => $fifo, name => $i == 0 ? 'stdout' : 'stderr' };
}

my $child = fork;
die "fork: $!\n" unless defined $child;
if ($child) { syswrite STDOUT, "ready\n"; exit 0 }
$SIG{$_} = 'IGNORE' for qw(HUP INT TERM PIPE);
open STDIN,  '<', '/dev/null';
open STDOUT, '>', '/dev/null';
open STDERR, '>', '/dev/null';

my $torn = 0;
while (%streams) {
    my $ready = '';
    vec($ready, $_, 1) = 1 for keys %streams;
    select($ready, undef, undef, undef);
    for my $fd (keys %streams) {
        next unless vec($ready, $fd, 1);
        my $got = sysread($streams{$fd}{handle}, my $chunk, READ_BYTES);
        if (!defined $got) { next if $! == EINTR || $! == EAGAIN; $got = 0 }
        if ($got == 0) { delete $streams{$fd}; next }
        append(records($streams{$fd}{name}, $chunk));
    }
}
if (sysopen(my $mark, $drained, WRONLY | CREAT, 0600)) { close $mark }

# One pass over a chunk: whole lines are F records, what has no newline yet and cuts of long lines are P records.
sub records {
    my ($name, $chunk) = @_;
    my $prefix = timestamp() . " $name ";
    my $out = '';
    while ($chunk =~ /\G([^\n]{0,@{[LINE_BYTES]}})(\n|\z|(?=[^\n]))/gc) {
        last if $1 eq '' && $2 eq '';
        $out .= $prefix . ($2 eq "\n" ? 'F ' : 'P ') . $1 . "\n";
    }
    return $out;
}

sub timestamp {
    my ($seconds, $nanos) = (time, 0);
    if (defined $gettime) {
        my $timespec = "\0" x 16;
        ($seconds, $nanos) = unpack 'qq', $timespec if syscall($gettime, 0, $timespec) == 0;
    } elsif ($precise) {
        my $now = Time::HiRes::time();
        ($seconds, $nanos) = (int $now, int(($now - int $now) * 1e6) * 1000);
    }
    my @t = gmtime $seconds;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%09d+00:00', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $nanos;
}

# On a full disk output is dropped, as conmon does; a record cut in the middle is ended before the next one.
sub append {
    my ($bytes) = @_;
    $bytes = "\n$bytes" if $torn;
    my $at = 0;
    while ($at < length $bytes) {
        my $wrote = syswrite($log, $bytes, length($bytes) - $at, $at);
        if (!defined $wrote) { next if $! == EINTR; last }
        $at += $wrote;
    }
    $torn = 1 if $at < length $bytes && $at > 0;
    $torn = 0 if $at == length $bytes;
}
`;
