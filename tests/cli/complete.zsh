# What zsh shows when Tab is pressed twice after $LINE, until $WANT is there: it is typed into a
# shell of its own.
zmodload zsh/zpty
zpty shell 'zsh -f -i'
send() { zpty -w shell "$1" }
send 'stty columns 120; PS1=; unsetopt beep zle_bracketed_paste; autoload -Uz compinit'
send 'compinit -u -d ./zcompdump; eval "$(ckpt completion zsh)"; setopt auto_list; unset zle_bracketed_paste'
send 'print -r -- "rea""dy"'
local text= part
reads() { # WHAT TENTHS: until it is there, or that long
	integer tries=0
	while [[ $text != *"$1"* && tries -lt $2 ]]; do
		while zpty -rt shell part; do text+=$part; done
		sleep 0.1; (( tries++ ))
	done
}
reads ready 600
text=
zpty -wn shell "$LINE"$'\t'
reads "$WANT" 10
zpty -wn shell $'\t'
reads "$WANT" 600
print -r -- "$text"
zpty -d shell
