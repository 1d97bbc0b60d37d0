# Stock programs (for dash: busybox would run its own) whose results depend on nothing but the processor. Run on the host
# and in the guest, it has to say the same.
export LC_ALL=C PERL_HASH_SEED=0 PYTHONHASHSEED=0
cd /tmp || exit 1

echo "== coreutils"
seq 1 20000 >numbers
for sum in md5sum sha1sum sha256sum sha512sum b2sum cksum; do $sum numbers; done
sort -rn numbers | head -n 500 | sha256sum
seq 0 0.1 3 | tr '\n' ' '
/usr/bin/printf '\n%.20g %a\n' 0.1 3.14159
factor 18446744073709551557 600851475143

echo "== gzip"
for level in 1 6 9; do gzip -n -$level <numbers | sha256sum; done
gzip -n -9 <numbers | gzip -d | sha256sum

echo "== bc"
echo 'scale=200; 4*a(1); e(1); sqrt(2); 2^521-1' | BC_LINE_LENGTH=0 bc -l

echo "== openssl"
for digest in sha3-256 blake2s256 ripemd160 sm3; do openssl dgst -$digest numbers 2>&1; done
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f iv=0f0e0d0c0b0a09080706050403020100
for cipher in aes-256-cbc aes-256-ctr camellia-256-cbc chacha20; do
    openssl enc -$cipher -K $key -iv $iv -in numbers | sha256sum
done
openssl prime 170141183460469231731687303715884105727
{
    echo "-----BEGIN PRIVATE KEY-----"
    echo "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    echo "-----END PRIVATE KEY-----"
} >key.pem
openssl pkey -in key.pem -pubout
openssl pkeyutl -sign -inkey key.pem -rawin -in numbers | sha256sum

echo "== perl"
perl -e '
    my $x = 0.5;
    for (1 .. 2000) { $x = 3.9 * $x * (1 - $x); $sum += sin($x) * cos($x) + sqrt($x) - log($x) + exp($x) + atan2($x, 2) }
    printf "%.17g %.17g\n", $x, $sum;
    my %count; $count{$_ % 97} += $_ * $_ for 1 .. 5000;
    print join(",", map { "$_=$count{$_}" } sort { $a <=> $b } keys %count), "\n";
    my $text = join " ", map { chr(97 + $_ * 7 % 26) x ($_ % 5) } 1 .. 400;
    print scalar(() = $text =~ /(\w)\1+/g), " ", unpack("%32C*", $text), " ", 1e23, " ", 2 ** 0.5, " ", 10 / 3, "\n";
'

echo "== python"
python3.11 -S -c '
import math, hashlib, struct
x = 0.1
total = 0.0
for i in range(1, 500):
    x = math.fmod(x * 1.7 + math.sin(i), 1000)
    total += math.exp(-abs(x)) + math.tan(x) + math.atan(x) + math.pow(i, 0.3) + math.log1p(i) + math.gamma(i % 20 + 0.5)
print(repr(x), repr(total), total.hex())
print(math.factorial(200), pow(3, 5000, 2**127 - 1))
print(hashlib.sha256(b"".join(struct.pack("<dfi", i / 7, i / 3, i) for i in range(1000))).hexdigest())
print([round(i / 8, 2) for i in range(12)], 0.1 + 0.2, 1e308 * 10, 5e-324, float("nan"), divmod(-7, 3))
print(sum(a * b for a, b in zip(range(3000), range(3000, 0, -1))), "%.30e" % math.pi)
'
