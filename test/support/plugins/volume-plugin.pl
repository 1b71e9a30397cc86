#!/usr/bin/perl
# A volume plugin of Docker's protocol in another language than ours, with nothing but what perl-base brings: what is
# wrong with both ends alike would not be seen between two programs of our own. One connection at a time; volumes are
# directories, mount ids are counted per volume. Usage: volume-plugin.pl SOCKET DIRECTORY
use strict;
use warnings;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);

my ( $socket, $dir ) = @ARGV;
die "usage: volume-plugin.pl SOCKET DIRECTORY\n" unless defined $dir;
$SIG{PIPE} = 'IGNORE';
$| = 1;
my %volumes;    # name => { created => text, opts => {}, ids => { id => 1 } }

# JSON, as much as requests need: objects, strings, numbers, null, true, false, lists.
sub value {
    my ($text) = @_;    # a reference; its pos() moves on
    $$text =~ /\G\s*/gc;
    return string($text) if $$text =~ /\G"/gc;
    if ( $$text =~ /\G\{\s*/gc ) {
        my %object;
        until ( $$text =~ /\G\s*\}/gc ) {
            $$text =~ /\G\s*,?\s*"/gc or die "bad object\n";
            my $key = string($text);
            $$text =~ /\G\s*:/gc or die "no colon\n";
            $object{$key} = value($text);
        }
        return \%object;
    }
    if ( $$text =~ /\G\[\s*/gc ) {
        my @list;
        until ( $$text =~ /\G\s*\]/gc ) { push @list, value($text); $$text =~ /\G\s*,/gc; }
        return \@list;
    }
    return $1 if $$text =~ /\G(-?[0-9.eE+-]+)/gc;
    return undef if $$text =~ /\Gnull/gc;
    return $1 eq 'true' ? 1 : 0 if $$text =~ /\G(true|false)/gc;
    die "bad value\n";
}

sub string {
    my ($text) = @_;
    my $out = '';
    my %short = ( n => "\n", t => "\t", r => "\r", b => "\b", f => "\f" );
    until ( $$text =~ /\G"/gc ) {
        if    ( $$text =~ /\G([^"\\]+)/gc )            { $out .= $1 }
        elsif ( $$text =~ /\G\\u([0-9a-fA-F]{4})/gc ) { my $c = chr hex $1; utf8::encode($c); $out .= $c }
        elsif ( $$text =~ /\G\\(.)/gcs )               { $out .= $short{$1} // $1 }
        else                                             { die "bad string\n" }
    }
    return $out;
}

sub json {
    my ($value) = @_;
    return 'null' unless defined $value;
    return '[' . join( ',', map { json($_) } @$value ) . ']' if ref $value eq 'ARRAY';
    return '{' . join( ',', map { json($_) . ':' . json( $value->{$_} ) } sort keys %$value ) . '}' if ref $value;
    $value =~ s/(["\\])/\\$1/g;
    $value =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$value\"";
}

sub path_of { return "$dir/$_[0]" }

sub shown {
    my ($name) = @_;
    my $volume = $volumes{$name};
    return { Name => $name, Mountpoint => %{ $volume->{ids} } ? path_of($name) : '', CreatedAt => $volume->{created} };
}

sub perform {
    my ( $method, $request ) = @_;
    my $name = $request->{Name} // '';
    return { Implements => ['VolumeDriver'] } if $method eq 'Plugin.Activate';
    return { Capabilities => { Scope => 'global' } } if $method eq 'VolumeDriver.Capabilities';
    return { Volumes => [ map { shown($_) } sort keys %volumes ], Err => '' } if $method eq 'VolumeDriver.List';
    if ( $method eq 'VolumeDriver.Create' ) {
        return { Err => "bad name $name" } unless $name =~ /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
        return { Err => '' } if $volumes{$name};
        mkdir path_of($name) or return { Err => "mkdir: $!" };
        my @now = gmtime;
        my $created = sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $now[5] + 1900, $now[4] + 1, @now[ 3, 2, 1, 0 ];
        $volumes{$name} = { created => $created, opts => $request->{Opts} // {}, ids => {} };
        return { Err => '' };
    }
    return undef unless $method =~ /^VolumeDriver\.(Mount|Unmount|Path|Get|Remove)$/;
    my $volume = $volumes{$name};
    return { Err => "no such volume: $name" } unless $volume;
    if ( $method eq 'VolumeDriver.Mount' ) {
        $volume->{ids}{ $request->{ID} } = 1;
        return { Mountpoint => path_of($name), Err => '' };
    }
    if ( $method eq 'VolumeDriver.Unmount' ) {
        delete $volume->{ids}{ $request->{ID} };
        return { Err => '' };
    }
    return { Mountpoint => %{ $volume->{ids} } ? path_of($name) : '', Err => '' } if $method eq 'VolumeDriver.Path';
    return { Volume => { %{ shown($name) }, Status => { options => $volume->{opts} } }, Err => '' }
        if $method eq 'VolumeDriver.Get';
    return { Err => "volume $name is in use" } if %{ $volume->{ids} };
    system( 'rm', '-rf', '--', path_of($name) ) == 0 or return { Err => 'rm failed' };
    delete $volumes{$name};
    return { Err => '' };
}

sub body_of {
    my ( $client, $headers ) = @_;
    my $body = '';
    if ( ( $headers->{'transfer-encoding'} // '' ) eq 'chunked' ) {
        while ( defined( my $line = <$client> ) ) {
            my $length = hex( $line =~ /^([0-9a-fA-F]+)/ ? $1 : 0 );
            my $read = 0;
            while ( $read < $length ) { $read += read( $client, $body, $length - $read, length $body ) || last }
            <$client>;
            last if $length == 0;
        }
        return $body;
    }
    my $length = $headers->{'content-length'} // 0;
    while ( length $body < $length ) { read( $client, $body, $length - length $body, length $body ) || last }
    return $body;
}

unlink $socket;
my $server = IO::Socket::UNIX->new( Type => SOCK_STREAM, Local => $socket, Listen => 16 ) or die "listen: $!\n";
print "ready\n";
while ( my $client = $server->accept ) {
    my $line = <$client>;
    my ( $verb, $method ) = ( $line // '' ) =~ m{^(\S+) /(\S*) HTTP/1\.[01]\r\n$};
    my %headers;
    while ( defined( my $header = <$client> ) ) {
        last if $header eq "\r\n";
        $headers{ lc $1 } = $2 if $header =~ /^([^:]+):\s*(.*?)\r\n$/;
    }
    my ( $status, $answer ) = ( '400 Bad Request', { Err => 'bad request' } );
    if ( defined $method && $verb eq 'POST' ) {
        my $body = body_of( $client, \%headers );
        my $request = $body =~ /\S/ ? eval { value( \$body ) } : {};
        if ( ref $request eq 'HASH' ) {
            $answer = perform( $method, $request );
            $status = defined $answer ? '200 OK' : '404 Not Found';
        }
    }
    my $text = defined $answer ? json($answer) . "\n" : "not found\n";
    printf $client "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
        $status, length $text, $text;
    close $client;
}
